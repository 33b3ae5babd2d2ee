"""Image classifiers made of a genotype's cells: ordinary Keras models."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.errors import UserError, check_count
from tf_darts.runtime.precision import full
from tf_darts.spaces.convolutional.derived.auxiliary_head import AuxiliaryHead, linear
from tf_darts.spaces.convolutional.derived.cell import DerivedCell, drop_path_factors
from tf_darts.spaces.convolutional.derived.stems import Stem
from tf_darts.spaces.convolutional.layout import auxiliary_place, cell_places
from tf_darts.spaces.convolutional.operations.base import child_seed, keep_activations
from tf_darts.spaces.convolutional.operations.noise import Noise
from tf_darts.spaces.convolutional.rematerialized import rematerialized_cell
from tf_darts.spaces.draws import drawn_by
from tf_darts.spaces.fast_forms import fast_form

AUXILIARY_WEIGHT = 0.4  # of the auxiliary head's loss
Shape = tuple[int | None, ...]


class Heads(NamedTuple):
    """What both classifiers say.

    Attributes:
      logits: [B, classes].
      auxiliary: [B, classes], of the auxiliary head; None where there is none.
    """

    logits: tf.Tensor
    auxiliary: tf.Tensor | None


class DerivedNetwork(keras.Model):
    """Stem, cells, global average pooling, linear (docs/method.md section 4).

    Calling it gives logits [B, classes], in training too. `heads` gives those of the auxiliary
    head as well, and `fit` adds its loss, weighted by 0.4: compile with any loss from logits.

    Args:
      genotype: the cells; or what its `to_dict` gives.
      classes: how many there are.
      channels: C of the first cell's nodes.
      layers: the number of cells.
      auxiliary: whether there is an auxiliary head, which is used in training only.
      drop_path: the rate of drop-path in training where a call names no other.
      seed: integer for the initial weights and the masks; None draws from Keras' global generator.

    Attributes:
      rematerialize: whether cells are computed again in the backward pass; it may be set.

    Raises:
      UserError: the settings make no network, or (when it is built) the images do not fit.
    """

    reduction_before: ClassVar[bool]  # of the first cell
    auxiliary_settings: ClassVar[dict[str, Any]]

    def __init__(
        self,
        genotype: ConvolutionalGenotype | Mapping[str, Any],
        classes: int,
        channels: int,
        layers: int,
        auxiliary: bool = True,
        drop_path: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(genotype, Mapping):
            genotype = ConvolutionalGenotype.from_dict(dict(genotype))
        _check(genotype, classes, channels, layers, drop_path)
        self.genotype = genotype
        self.classes = classes
        self.channels = channels
        self.layers_count = layers
        self.auxiliary = auxiliary
        self.drop_path = drop_path
        self.seed = seed
        self.rematerialize = False
        self.supports_jit = False  # XLA's convolutions are slow on the CPU; `fit` would use it
        self.mask_seeds = keras.random.SeedGenerator(child_seed(seed, "masks"))
        self.stem = self.make_stem()
        places = cell_places(channels, layers, reduction_before_first=self.reduction_before)
        self.cells = [
            DerivedCell(
                genotype.reduce if place.reduction else genotype.normal,
                genotype.reduce_concat if place.reduction else genotype.normal_concat,
                **place._asdict(),
                seed=child_seed(seed, "cell", i),
                dtype=self.dtype_policy,
                name=f"cell_{i}",
            )
            for i, place in enumerate(places)
        ]
        if auxiliary:
            self.auxiliary_head = AuxiliaryHead(
                classes,
                seed=child_seed(seed, "auxiliary"),
                dtype=self.dtype_policy,
                name="auxiliary_head",
                **self.auxiliary_settings,
            )
        features = places[-1].channels * len(self.cells[-1].concat)
        self.classifier = linear(
            classes,
            features,
            child_seed(seed, "classifier"),
            dtype=self.dtype_policy,
            name="classifier",
        )

    def make_stem(self) -> Stem:
        """The layer that makes the first cell's inputs."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its stem is")

    def build(self, input_shape: Shape) -> None:
        """Makes the weights for images [B, H, W, channels], H and W known."""
        if len(input_shape) != 4 or None in input_shape[1:]:
            raise UserError(
                f"Images of shape {tuple(input_shape)}: the network needs [batch, height, width,"
                " channels] with the last three known; resize the images to one size."
            )
        self.check_size(tuple(input_shape))
        keep_activations(self)
        for layer, shape in self.layer_shapes(input_shape):
            layer.build(shape)
        self.built = True

    def layer_shapes(self, input_shape: Shape) -> list[tuple[keras.layers.Layer, Any]]:
        """Stem, cells and heads in order, and the shape that each gets (a cell: both)."""
        layers: list[tuple[keras.layers.Layer, Any]] = [(self.stem, input_shape)]
        shapes = self.stem.compute_output_shape(input_shape)
        for i, cell in enumerate(self.cells):
            layers.append((cell, shapes))
            shapes = (shapes[1], cell.compute_output_shape(shapes))
            if self.auxiliary and i == auxiliary_place(self.layers_count):
                layers.append((self.auxiliary_head, shapes[1]))
        return [*layers, (self.classifier, (input_shape[0], shapes[1][-1]))]

    def check_size(self, input_shape: Shape) -> None:
        """Raises `UserError` where the auxiliary head has too few pixels; it needs no weights."""
        for layer, shape in self.layer_shapes(input_shape):
            if not isinstance(layer, AuxiliaryHead):
                continue
            least, available = layer.least_pixels, min(shape[1:3])
            if available < least:
                pixels = min(input_shape[1:3])
                halvings = 0
                while pixels > available:
                    pixels, halvings = -(-pixels // 2), halvings + 1
                needed = (least - 1) * 2**halvings + 1
                raise UserError(
                    f"Images of {input_shape[1]}×{input_shape[2]}: the auxiliary head, after cell"
                    f" {auxiliary_place(self.layers_count)}, needs {least}×{least} pixels and gets"
                    f" {shape[1]}×{shape[2]}; use images of at least {needed}×{needed}, or"
                    " --auxiliary_weight=0 (auxiliary=False where it is made in Python)."
                )

    def call(
        self,
        images: tf.Tensor,
        training: bool = False,
        seed: tf.Tensor | None = None,
        drop_path: tf.Tensor | float | None = None,
    ) -> tf.Tensor:
        """Returns the logits [B, classes]; the arguments are those of `heads`."""
        return self._evaluate(images, training, seed, drop_path, auxiliary=False).logits

    def heads(
        self,
        images: tf.Tensor,
        training: bool = False,
        seed: tf.Tensor | None = None,
        drop_path: tf.Tensor | float | None = None,
    ) -> Heads:
        """The logits of both classifiers.

        Args:
          images: [B, H, W, channels], normalised.
          training: batch statistics and drop-path, or running statistics.
          seed: int32 [2], of drop-path's masks and of noise; None takes the model's generator.
          drop_path: rate, scalar; None takes the model's.
        """
        if not self.built:
            self.build(images.shape)
        return self._evaluate(images, training, seed, drop_path, auxiliary=self.auxiliary)

    def _evaluate(
        self,
        images: tf.Tensor,
        training: bool,
        seed: tf.Tensor | None,
        drop_path: tf.Tensor | float | None,
        auxiliary: bool,
    ) -> Heads:
        rate = self.drop_path if drop_path is None else drop_path
        dropped = not (isinstance(rate, int | float) and rate == 0)
        if training and seed is None and (dropped or self.noisy):
            seed = tf.cast(self.mask_seeds.next(), tf.int64)
        factors = None
        if training and dropped:
            factors = self._factors(tf.shape(images)[0], seed, rate)
        place = auxiliary_place(self.layers_count) if auxiliary else None
        inputs = self.stem(images, training=training)
        fast = fast_form(DerivedNetwork, self, inputs, factors, training, place)
        auxiliary_logits = None
        with drawn_by(seed):
            for i, last in self._outputs(inputs, factors, training) if fast is None else fast():
                if i == place:
                    auxiliary_logits = self.auxiliary_head(last, training=training)
        return Heads(self.classifier(tf.reduce_mean(full(last), axis=[1, 2])), auxiliary_logits)

    def _outputs(
        self,
        inputs: tuple[tf.Tensor, tf.Tensor],
        factors: Sequence[tf.Tensor] | None,
        training: bool,
    ) -> Iterator[tuple[int, tf.Tensor]]:
        """The cells, from 0, each with its output [B, H, W, channels].

        Args:
          inputs: of the first cell.
          factors: drop-path's for each cell, or None.
          training: batch or running statistics.
        """
        previous, last = inputs
        for i, cell in enumerate(self.cells):
            cell_factors = None if factors is None else factors[i]
            if training and self.rematerialize:
                result = rematerialized_cell(cell, (previous, last), cell_factors)
            else:
                result = cell((previous, last), cell_factors, training=training)
            previous, last = last, result
            yield i, last

    @property
    def noisy(self) -> bool:
        """Whether some operation draws in training."""
        return any(isinstance(edge, Noise) for cell in self.cells for edge in cell.edges)

    def _factors(
        self, batch: tf.Tensor, seed: tf.Tensor, rate: tf.Tensor | float
    ) -> list[tf.Tensor]:
        """What drop-path multiplies each cell's edges with, [edges, B]."""
        counts = [len(cell.edges) for cell in self.cells]
        factors = drop_path_factors(seed, rate, sum(counts), batch, self.compute_dtype)
        return tf.split(factors, counts)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of `fit`: the auxiliary head's loss is added, metrics see the main head."""
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            logits, auxiliary = self.heads(images, training=True)
            loss = self.compute_loss(images, labels, logits, weights)
            if auxiliary is not None:
                loss += AUXILIARY_WEIGHT * self.compute_loss(images, labels, auxiliary, weights)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(
            zip(tape.gradient(scaled, variables), variables, strict=True)
        )
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=tf.shape(logits)[0])
        return self.compute_metrics(images, labels, logits, weights)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("classes", "channels", "auxiliary", "drop_path", "seed")
        return super().get_config() | {
            "genotype": self.genotype.to_dict(),
            "layers": self.layers_count,
            **{name: getattr(self, name) for name in names},
        }


def _check(
    genotype: ConvolutionalGenotype, classes: int, channels: int, layers: int, drop_path: float
) -> None:
    if not isinstance(genotype, ConvolutionalGenotype):
        raise UserError(
            f"An image network cannot be made of a {type(genotype).__name__}; give it a"
            " convolutional genotype."
        )
    for name, value in (("classes", classes), ("channels", channels), ("layers", layers)):
        check_count(name, value, "an image network")
    if channels % 2:
        raise UserError(f"channels is {channels}; halves of it are needed, so make it even.")
    if isinstance(drop_path, str) or not 0 <= drop_path <= 1:
        raise UserError(f"drop_path is {drop_path!r}; it is a probability, 0 to 1.")
