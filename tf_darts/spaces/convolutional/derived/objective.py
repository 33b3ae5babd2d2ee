"""The image networks by name, and the door through which they are trained."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.errors import UserError
from tf_darts.runtime.memory.traced import TracedMemory, in_order
from tf_darts.spaces.convolutional import traced_memory
from tf_darts.spaces.convolutional.derived.cell import DerivedCell
from tf_darts.spaces.convolutional.derived.counts import counts
from tf_darts.spaces.convolutional.derived.network import AUXILIARY_WEIGHT, DerivedNetwork
from tf_darts.spaces.convolutional.derived.stems import Stem
from tf_darts.spaces.convolutional.operations.base import child_seed
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.image_doors import ImageObjective
from tf_darts.spaces.objective import TrainingLoss

Batch = tuple[tf.Tensor, tf.Tensor]  # images [B, H, W, channels], labels int32 [B]
TOP = 5


@keras.saving.register_keras_serializable(package="tf_darts")
class CifarNetwork(DerivedNetwork):
    """For small images, 32×32 in the paper; see `DerivedNetwork`.

    The auxiliary head needs images of at least 29×29.

    Examples:
      >>> from tf_darts.cells.published import PUBLISHED
      >>> cells = PUBLISHED["convolutional"]["darts_v2"]
      >>> model = CifarNetwork(cells, classes=10, channels=4, layers=3, auxiliary=False)
      >>> model(tf.zeros([2, 16, 16, 3])).shape
      TensorShape([2, 10])
    """

    STEM_FACTOR = 3  # the stem has so many times the first cell's channels
    reduction_before: ClassVar[bool] = False
    auxiliary_settings: ClassVar[dict[str, Any]] = {"stride": 3, "normalized": True}

    def __init__(
        self,
        genotype: ConvolutionalGenotype | Mapping[str, Any],
        classes: int,
        channels: int = 36,
        layers: int = 20,
        auxiliary: bool = True,
        drop_path: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(genotype, classes, channels, layers, auxiliary, drop_path, seed, **kwargs)

    def make_stem(self) -> Stem:
        return Stem(
            (self.STEM_FACTOR * self.channels,),
            seed=child_seed(self.seed, "stem"),
            dtype=self.dtype_policy,
            name="stem",
        )


@keras.saving.register_keras_serializable(package="tf_darts")
class ImageNetNetwork(DerivedNetwork):
    """For large images, 224×224 in the paper; see `DerivedNetwork`.

    Three convolutions of stride 2 come first. The auxiliary head needs images of at least 193×193.
    """

    reduction_before: ClassVar[bool] = True
    auxiliary_settings: ClassVar[dict[str, Any]] = {"stride": 2, "normalized": False}

    def __init__(
        self,
        genotype: ConvolutionalGenotype | Mapping[str, Any],
        classes: int,
        channels: int = 48,
        layers: int = 14,
        auxiliary: bool = True,
        drop_path: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(genotype, classes, channels, layers, auxiliary, drop_path, seed, **kwargs)

    def make_stem(self) -> Stem:
        return Stem(
            (self.channels // 2, self.channels, self.channels),
            stride=2,
            seed=child_seed(self.seed, "stem"),
            dtype=self.dtype_policy,
            name="stem",
        )


class ImageClassification(ImageObjective):
    """Image classification with a derived network.

        loss = CE_s(logits) + weight · CE_s(auxiliary logits)

    CE_s is the cross-entropy with smoothed labels: 1 - s on the label, and s spread evenly over
    all classes. What is measured as "loss" is CE_0 of the main head.

    Args:
      model: it is built here.
      image_shape: height, width and channels of an image.
      auxiliary_weight: of the auxiliary head's loss; without effect where there is no such head.
      label_smoothing: s, 0 to 1.
      drop_path: the rate of drop-path at the end of the training; it rises linearly from 0.
      top5: whether it is measured too how often the label is among the five likeliest.
      batch_size: of every training batch, where that is known: it makes the training faster.
      rematerialize: whether cells are computed again in the backward pass.

    Raises:
      UserError: `top5` with fewer than ten classes.
    """

    def __init__(
        self,
        model: DerivedNetwork,
        image_shape: tuple[int, int, int],
        *,
        auxiliary_weight: float = AUXILIARY_WEIGHT,
        label_smoothing: float = 0.0,
        drop_path: float = 0.0,
        top5: bool = False,
        batch_size: int | None = None,
        rematerialize: bool = False,
    ) -> None:
        if top5 and model.classes < 2 * TOP:
            raise UserError(
                f"top5 with {model.classes} classes says nothing; it needs {2 * TOP} or more."
            )
        super().__init__(model, image_shape, batch_size=batch_size)
        model.rematerialize = rematerialize
        self.auxiliary_weight = auxiliary_weight
        self.label_smoothing = label_smoothing
        self.drop_path = drop_path
        if top5:
            self.measures = (*self.measures, "top5")

    @property
    def inference_variables(self) -> Sequence[keras.Variable]:
        head = self.model.auxiliary_head.variables if self.model.auxiliary else []
        excluded = {id(variable) for variable in head}
        variables = super().inference_variables
        return [variable for variable in variables if id(variable) not in excluded]

    def counts(self) -> dict[str, int]:
        return counts(self.model, self.image_shape)

    def traced_memory(self, batch: Any) -> TracedMemory:
        examples = batch[0].shape[0]
        cells, stem_and_heads = [], []
        for layer, shapes in self.model.layer_shapes((examples, *self.image_shape)):
            if not isinstance(layer, DerivedCell):
                stem_and_heads.append(traced_memory.layer_memory(layer, shapes))
                continue
            factors = (len(layer.edges), examples) if self.drop_path else None
            output = layer.compute_output_shape(shapes)
            cells.append(traced_memory.Cell(layer, shapes, output, factors, constant=True))
        parts = traced_memory.cells_memory(cells, rematerialize=self.model.rematerialize)
        # The heads are small: it is no matter where they stand.
        return in_order([stem_and_heads[0], *parts, *stem_and_heads[1:]])

    def loss(
        self, batch: Batch, state: tuple[()], seed: tf.Tensor, progress: tf.Tensor
    ) -> TrainingLoss:
        images, labels = batch
        # A plain 0 leaves all masks out.
        rate = self.drop_path and self.drop_path * tf.cast(progress, self.model.compute_dtype)
        with StatisticsLedger() as ledger:
            logits, auxiliary = self.model.heads(images, training=True, seed=seed, drop_path=rate)
        self.assign_statistics(ledger)
        loss = self._cross_entropy(labels, logits)
        if auxiliary is not None:
            loss += self.auxiliary_weight * self._cross_entropy(labels, auxiliary)
        return TrainingLoss(loss, self.means_of(logits, labels), state)

    def _cross_entropy(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """CE_s, the batch's mean."""
        targets = tf.one_hot(labels, self.model.classes, dtype=logits.dtype)
        losses = keras.losses.categorical_crossentropy(
            targets, logits, from_logits=True, label_smoothing=self.label_smoothing
        )
        return tf.reduce_mean(losses)

    def sums_of(self, logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        sums = super().sums_of(logits, labels)
        if "top5" in self.measures:
            hits = tf.math.in_top_k(labels, tf.cast(logits, tf.float32), TOP)
            sums["top5"] = tf.reduce_sum(tf.cast(hits, logits.dtype))
        return sums
