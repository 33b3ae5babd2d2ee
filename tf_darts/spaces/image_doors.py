"""The two doors for image classifiers: around any Keras model that gives logits of images.

A space of images needs a model of each kind, and no class of its own here; the convolutional space
adds to both what only it has.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.short_names import short_names
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.draws import drawn_by
from tf_darts.spaces.objective import TrainingLoss, TrainingObjective
from tf_darts.spaces.supernet import Evaluation, LossResult, Mixing, Supernet, Weights

Batch = tuple[tf.Tensor, tf.Tensor]  # images [B, H, W, channels], labels int32 [B]


def classification_sums(logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
    """Cross-entropy in nats and number of right answers, summed over a batch."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    correct = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), labels)
    return {
        "loss": tf.reduce_sum(losses),
        "accuracy": tf.reduce_sum(tf.cast(correct, logits.dtype)),
    }


def _running(model: keras.Layer) -> list[keras.Variable]:
    """The running statistics of a model; no random generators' states."""
    return [v for v in model.non_trainable_variables if "float" in v.dtype]


class ImageSupernet(Supernet):
    """Image classification with relaxed cells.

    It has no state. What its layers draw, if they do, is drawn by the loss's seed
    (`spaces/draws.py`).

    Args:
      model: gives logits [B, classes] as `model(images, mixing, training=...)`, `mixing` being
        tables [edges, columns] by kind of cell; it is built here.
      image_shape: height, width and channels of an image.
      space: the name of the space, whose genotypes the derived cells are.
      cells: the topology of each kind of cell.
    """

    measures: ClassVar[tuple[str, ...]] = ("loss", "accuracy")
    score: ClassVar[str] = "accuracy"  # per cent
    score_mode: ClassVar[str] = "max"

    def __init__(
        self,
        model: keras.Layer,
        image_shape: tuple[int, int, int],
        space: str,
        cells: Mapping[str, CellTopology],
    ) -> None:
        if not model.built:
            with short_names():
                model.build((None, *image_shape))
        self.model = model
        self.image_shape = image_shape
        self.genotype_class = genotype_class(space)
        self.cells = cells

    @property
    def weights(self) -> Sequence[keras.Variable]:
        return self.model.trainable_variables

    @property
    def joint_gradients(self) -> bool:
        return True  # ∇_α costs little beside ∇_w; compiling both takes longer

    @property
    def statistics(self) -> Sequence[keras.Variable]:
        return _running(self.model)

    @property
    def batch_signature(self) -> Any:
        images = tf.TensorSpec([None, *self.image_shape], self.model.compute_dtype)
        return (images, tf.TensorSpec([None], tf.int32))

    def initial_state(self, batch_size: int) -> tuple[()]:
        del batch_size
        return ()

    def loss(
        self,
        weights: Weights,
        mixing: Mixing,
        batch: Batch,
        state: tuple[()],
        seed: tf.Tensor,
        *,
        progress: tf.Tensor | float = 0.0,
        regularized: bool = False,
    ) -> LossResult:
        # Nothing changes with time, and weight decay is the optimiser's.
        del progress, regularized
        images, labels = batch
        scope = keras.StatelessScope(list(zip(self.weights, weights, strict=True)))
        with scope, StatisticsLedger() as ledger, drawn_by(seed):
            logits = self.model(images, mixing, training=True)
        sums = classification_sums(logits, labels)
        count = tf.cast(tf.size(labels), logits.dtype)
        means = {name: total / count for name, total in sums.items()}
        return LossResult(
            means["loss"], means, state, _new_statistics(self.statistics, scope, ledger)
        )

    def evaluation_sums(self, mixing: Mixing, batch: Batch, state: tuple[()]) -> Evaluation:
        images, labels = batch
        logits = self.model(images, mixing)
        return Evaluation(
            classification_sums(logits, labels), tf.cast(tf.size(labels), logits.dtype), state
        )

    def scores(self, means: Mapping[str, float]) -> dict[str, float]:
        return {"loss": means["loss"], "accuracy": 100.0 * means["accuracy"]}


def _new_statistics(
    variables: Sequence[keras.Variable], scope: keras.StatelessScope, ledger: StatisticsLedger
) -> Sequence[tf.Tensor]:
    """New running statistics: of our batch norms as recorded, of other layers as assigned."""
    recorded = [variable for variable in variables if variable in ledger]
    if recorded and len(recorded) == len(variables):
        return ledger.new_statistics(recorded)
    values = ledger.new_statistics(recorded) if recorded else []
    new = dict(zip(map(id, recorded), values, strict=True))
    return [
        new[id(variable)] if id(variable) in new else _assigned(scope, variable)
        for variable in variables
    ]


def _assigned(scope: keras.StatelessScope, variable: keras.Variable) -> tf.Tensor:
    value = scope.get_current_value(variable)
    return tf.stop_gradient(tf.convert_to_tensor(variable if value is None else value))


class ImageObjective(TrainingObjective):
    """The training of an image classifier by its cross-entropy.

    Args:
      model: gives logits [B, classes] as `model(images, training=...)`; it is built here.
      image_shape: height, width and channels of an image.
      multiply_adds: of one image, where they are counted.
      batch_size: of every training batch, where that is known: it makes the training faster.
    """

    measures: tuple[str, ...] = ("loss", "accuracy")
    score: ClassVar[str] = "accuracy"  # per cent
    score_mode: ClassVar[str] = "max"

    def __init__(
        self,
        model: keras.Layer,
        image_shape: tuple[int, int, int],
        *,
        multiply_adds: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        if not model.built:
            with short_names():
                model.build((None, *image_shape))
        self.model = model
        self.image_shape = image_shape
        self.multiply_adds = multiply_adds
        self.batch_size = batch_size

    def counts(self) -> dict[str, int]:
        sizes = {"weights": sum(weight.value.shape.num_elements() for weight in self.weights)}
        named = {"multiply-adds an image": self.multiply_adds}
        return sizes | (named if self.multiply_adds else {})

    @property
    def batch_signature(self) -> Any:
        images = tf.TensorSpec([self.batch_size, *self.image_shape], self.model.compute_dtype)
        return (images, tf.TensorSpec([self.batch_size], tf.int32))

    def initial_state(self, batch_size: int) -> tuple[()]:
        del batch_size
        return ()

    def loss(
        self, batch: Batch, state: tuple[()], seed: tf.Tensor, progress: tf.Tensor
    ) -> TrainingLoss:
        del progress
        images, labels = batch
        with StatisticsLedger() as ledger, drawn_by(seed):
            logits = self.model(images, training=True)
        self.assign_statistics(ledger)
        means = self.means_of(logits, labels)
        return TrainingLoss(means["loss"], means, state)

    def assign_statistics(self, ledger: StatisticsLedger) -> None:
        """Moves the running statistics of our batch norms; other layers have moved their own."""
        recorded = [variable for variable in self.statistics if variable in ledger]
        values = ledger.new_statistics(recorded) if recorded else []
        for variable, value in zip(recorded, values, strict=True):
            variable.assign(value)

    def means_of(self, logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        """The measures of a batch."""
        count = tf.cast(tf.size(labels), logits.dtype)
        return {name: total / count for name, total in self.sums_of(logits, labels).items()}

    def sums_of(self, logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        """The measures, summed over a batch."""
        return classification_sums(logits, labels)

    def evaluation_sums(self, batch: Batch, state: tuple[()]) -> Evaluation:
        images, labels = batch
        logits = self.model(images)
        count = tf.cast(tf.size(labels), logits.dtype)
        return Evaluation(self.sums_of(logits, labels), count, state)

    def scores(self, means: Mapping[str, float]) -> dict[str, float]:
        return {
            name: value if name == "loss" else 100.0 * value
            for name, value in means.items()
            if name in self.measures
        }
