"""Tiny searches, for checks that need whole ones: a number that is fitted, and a small cell."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tf_darts.cells.genotype import RECURRENT_PRIMITIVES, RecurrentGenotype
from tf_darts.cells.topology import CellTopology
from tf_darts.data.batches import SearchBatch
from tf_darts.data.facts import ImageFacts
from tf_darts.spaces.edge_wrappers import wrapping_options
from tf_darts.spaces.image_doors import ImageSupernet
from tf_darts.spaces.nasbench201.cells import RelaxedBenchCell
from tf_darts.spaces.nasbench201.operations import ReluConvNorm
from tf_darts.spaces.supernet import Evaluation, LossResult, Mixing, Supernet, Weights


class ToySupernet(Supernet):
    """Fits a number by w₀·Σ_k k·p_k + w₁; its state counts batches and enters the loss."""

    genotype_class: ClassVar[type] = RecurrentGenotype
    measures: ClassVar[tuple[str, ...]] = ("loss",)
    score: ClassVar[str] = "error"
    score_mode: ClassVar[str] = "min"

    def __init__(self) -> None:
        self.cells = {"cell": CellTopology(1, 2, 1, RECURRENT_PRIMITIVES)}
        dtype = keras.config.floatx()
        self._weights = [keras.Variable([0.5, -0.5], dtype=dtype, name="w")]
        self._statistics = [keras.Variable(0.0, dtype=dtype, trainable=False, name="mean")]

    @property
    def weights(self) -> Sequence[keras.Variable]:
        return self._weights

    @property
    def statistics(self) -> Sequence[keras.Variable]:
        return self._statistics

    @property
    def regularizes(self) -> bool:
        return True

    @property
    def batch_signature(self) -> tf.TensorSpec:
        return tf.TensorSpec([None], keras.config.floatx())

    def initial_state(self, batch_size: int) -> tf.Tensor:
        return tf.zeros([batch_size], keras.config.floatx())

    def _error(
        self, weights: Weights, mixing: Mixing, batch: tf.Tensor, state: tf.Tensor
    ) -> tf.Tensor:
        strength = tf.reduce_sum(mixing["cell"] * tf.range(5.0, dtype=batch.dtype))
        prediction = weights[0][0] * strength + weights[0][1]
        return tf.reduce_mean((batch - prediction) ** 2) + 0.01 * tf.reduce_mean(state)

    def loss(
        self,
        weights: Weights,
        mixing: Mixing,
        batch: tf.Tensor,
        state: tf.Tensor,
        seed: tf.Tensor,
        *,
        progress: tf.Tensor | float = 0.0,
        regularized: bool = False,
    ) -> LossResult:
        noise = 0.1 * tf.random.stateless_normal([], seed, dtype=batch.dtype)
        loss = self._error(weights, mixing, batch + noise, state)
        penalty = 0.001 * tf.reduce_sum(weights[0] ** 2) if regularized else 0.0
        mean = 0.9 * tf.convert_to_tensor(self._statistics[0]) + 0.1 * loss
        return LossResult(loss + penalty, {"loss": loss}, state + 1.0, [tf.stop_gradient(mean)])

    def evaluation_sums(self, mixing: Mixing, batch: tf.Tensor, state: tf.Tensor) -> Evaluation:
        weights = [tf.convert_to_tensor(self._weights[0])]
        count = tf.cast(tf.size(batch), batch.dtype)
        loss = self._error(weights, mixing, batch, 0.0 * state)
        return Evaluation({"loss": loss * count}, count, state + 1.0)

    def scores(self, means: Mapping[str, float]) -> dict[str, float]:
        return {"loss": means["loss"], "error": means["loss"]}


class ToyNumbers:
    """Numbers near 1, in so many batches an epoch.

    Args:
      poison: (epoch, step) of batches whose first use is not a number.
      steps: of each epoch.
    """

    evaluation_batch_size = 3

    def __init__(self, poison: Sequence[tuple[int, int]] = (), steps: int = 5) -> None:
        self._steps = steps
        self.poison = list(poison)
        self.served: list[tuple[int, int]] = []

    def steps(self, epoch: int) -> int:
        del epoch
        return self._steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[SearchBatch]:
        """The epoch's batches from `start_step` on."""
        for step in range(start_step, self._steps):
            random = np.random.default_rng([epoch, step])
            train, validation = random.normal(1.0, 0.1, (2, 4)).astype(keras.config.floatx())
            self.served.append((epoch, step))
            if (epoch, step) in self.poison:
                self.poison.remove((epoch, step))
                train = train * np.nan
            yield SearchBatch(train, validation, 1.0, step == 0)

    def evaluation(self) -> Iterator[Any]:
        """Two batches."""
        for i in range(2):
            yield np.array([1.0, 1.1, 0.9 + i], keras.config.floatx())

    def sample(self) -> Iterator[Any]:
        """The same two."""
        return self.evaluation()


class ToyClassifier(keras.layers.Layer):
    """One relaxed cell of NAS-Bench-201 between the images and a linear layer.

    Args:
      config: of a search; its channels, operations and edge options count.
      classes: how many there are.
    """

    def __init__(self, config: Any, classes: int) -> None:
        super().__init__()
        self.cell = RelaxedBenchCell(
            config.channels,
            config.cells["cell"],
            seed=1,
            edge_options=wrapping_options(config),
            name="cell",
        )
        self.classes = classes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        random = keras.initializers.RandomUniform(-1.0, 1.0, seed=2)
        channels = self.cell.channels
        self.stem = self.add_weight(
            name="stem", shape=(input_shape[-1], channels), initializer=random
        )
        self.head = self.add_weight(name="head", shape=(channels, self.classes), initializer=random)
        self.cell.build((*input_shape[:-1], channels))

    def call(self, images: tf.Tensor, mixing: Mixing, training: bool = False) -> tf.Tensor:
        """Returns the logits [B, classes]."""
        value = tf.tensordot(images, tf.convert_to_tensor(self.stem), 1)
        value = self.cell(value, mixing["cell"], training=training)
        return tf.matmul(tf.reduce_mean(value, [1, 2]), tf.convert_to_tensor(self.head))


def toy_image_supernet(config: Any) -> ImageSupernet:
    """A supernet for `ToyImages`, with a search's edge options and NAS-Bench-201's genotypes."""
    return _ToyImageSupernet(
        ToyClassifier(config, _FACTS.classes), _FACTS.shape, "nasbench201", config.cells
    )


class _ToyImageSupernet(ImageSupernet):
    @property
    def edge_options(self) -> Sequence[Any]:
        return self.model.cell.edge_options

    @property
    def idle_weights(self) -> Sequence[keras.Variable]:
        layers = self.model.cell._flatten_layers()
        return [layer.bias for layer in layers if isinstance(layer, ReluConvNorm)]


_FACTS = ImageFacts((4, 4, 2), 3)


class ToyImages(ToyNumbers):
    """Random images, in so many batches an epoch; arguments as of `ToyNumbers`."""

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[SearchBatch]:
        for step in range(start_step, self._steps):
            random = np.random.default_rng([epoch, step])
            yield SearchBatch(_images(random, 4), _images(random, 4), 1.0, step == 0)

    def evaluation(self) -> Iterator[Any]:
        for i in range(2):
            yield _images(np.random.default_rng(i), 3)


def _images(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    images = random.standard_normal((count, *_FACTS.shape)).astype(keras.config.floatx())
    return images, random.integers(_FACTS.classes, size=count, dtype=np.int32)
