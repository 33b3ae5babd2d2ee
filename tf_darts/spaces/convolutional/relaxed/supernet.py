"""The convolutional space behind the `Supernet` door: an image classifier with relaxed cells."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.runtime.memory.traced import TracedMemory, in_order
from tf_darts.spaces.convolutional import traced_memory
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.supernet import Evaluation, LossResult, Mixing, Supernet, Weights

Batch = tuple[tf.Tensor, tf.Tensor]  # images [B, H, W, channels], labels int32 [B]


class ConvolutionalSupernet(Supernet):
    """Image classification with relaxed normal and reduction cells.

    It has no state, and no randomness: `seed` is not used. α has two tables, "normal" and "reduce".

    Args:
      model: the classifier; it is built here.
      image_shape: height, width and channels of an image.
      rematerialize: whether cells are computed again in the backward pass.
    """

    genotype_class: ClassVar[type] = ConvolutionalGenotype
    measures: ClassVar[tuple[str, ...]] = ("loss", "accuracy")
    score: ClassVar[str] = "accuracy"  # per cent
    score_mode: ClassVar[str] = "max"

    def __init__(
        self,
        model: RelaxedImageClassifier,
        image_shape: tuple[int, int, int],
        rematerialize: bool = False,
    ) -> None:
        model.build((None, *image_shape))
        model.rematerialize = rematerialize
        self.model = model
        self.image_shape = image_shape
        self.cells = model.topologies

    @property
    def weights(self) -> Sequence[keras.Variable]:
        return self.model.trainable_variables

    @property
    def joint_gradients(self) -> bool:
        return True  # the batch norms' scales, which are computed anyway; compiling takes longer

    @property
    def statistics(self) -> Sequence[keras.Variable]:
        return self.model.non_trainable_variables

    @property
    def batch_signature(self) -> Any:
        images = tf.TensorSpec([None, *self.image_shape], self.model.compute_dtype)
        return (images, tf.TensorSpec([None], tf.int32))

    def traced_memory(self, batch: Any, *, order: int = 1, replicas: int = 1) -> TracedMemory:
        del replicas  # each takes the same form
        examples, cells = batch[0].shape[0], []
        for layer, shapes, output in self.model.cell_shapes(self.image_shape):
            mixing = (layer.topology.edges, layer.topology.columns)
            input_shapes = [(examples, *shape) for shape in shapes]
            cells.append(traced_memory.Cell(layer, input_shapes, (examples, *output), mixing))
        rematerialize = self.model.rematerialize
        return in_order(traced_memory.cells_memory(cells, order=order, rematerialize=rematerialize))

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
        # Nothing is dropped or changes with time, and weight decay is the optimiser's.
        del seed, progress, regularized
        images, labels = batch
        mapping = list(zip(self.weights, weights, strict=True))
        with keras.StatelessScope(state_mapping=mapping), StatisticsLedger() as ledger:
            logits = self.model(images, mixing, training=True)
        sums = classification_sums(logits, labels)
        count = tf.cast(tf.size(labels), logits.dtype)
        means = {name: total / count for name, total in sums.items()}
        return LossResult(means["loss"], means, state, ledger.new_statistics(self.statistics))

    def evaluation_sums(self, mixing: Mixing, batch: Batch, state: tuple[()]) -> Evaluation:
        images, labels = batch
        logits = self.model(images, mixing)
        return Evaluation(
            classification_sums(logits, labels), tf.cast(tf.size(labels), logits.dtype), state
        )

    def scores(self, means: Mapping[str, float]) -> dict[str, float]:
        return {"loss": means["loss"], "accuracy": 100.0 * means["accuracy"]}


def classification_sums(logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
    """Cross-entropy in nats and number of right answers, summed over a batch."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    correct = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), labels)
    return {
        "loss": tf.reduce_sum(losses),
        "accuracy": tf.reduce_sum(tf.cast(correct, logits.dtype)),
    }
