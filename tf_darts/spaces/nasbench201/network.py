"""The network around the cells, relaxed or derived: they differ in nothing else.

    3×3 convolution, batch norm | N cells of C channels | residual block, stride 2
    | N cells of 2C | residual block, stride 2 | N cells of 4C
    | batch norm, ReLU, average over the image, linear

Stem, blocks and last batch norm have scale and offset and no biases, in the search too.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.cells.topology import CellTopology
from tf_darts.errors import UserError, check_count
from tf_darts.runtime.precision import activations, full
from tf_darts.spaces.convolutional.derived.auxiliary_head import linear
from tf_darts.spaces.convolutional.derived.stems import ConvBatchNorm
from tf_darts.spaces.convolutional.operations.base import child_seed, keep_activations, uniform
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.rematerialized import rematerialized_cell
from tf_darts.spaces.edge_wrappers import EdgeWrapper, wrappers_config, wrappers_from
from tf_darts.spaces.nasbench201.cells import DerivedBenchCell, RelaxedBenchCell
from tf_darts.spaces.nasbench201.counts import STAGES
from tf_darts.spaces.nasbench201.operations import ReluConvNorm, convolve

Shape = tuple[int | None, ...]


class ResidualBlock(keras.layers.Layer):
    """Halves the resolution: two convolutions beside a pooled shortcut, summed.

        conv_b(conv_a(x)) + W·pool(x)

    `conv_a` (stride 2) and `conv_b` are ReLU, 3×3 convolution, batch norm. The shortcut is the mean
    of 2×2 pixels (at odd sizes the last row or column has fewer) and a 1×1 convolution without
    batch norm.

    Args:
      channels: how many come out.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    SIZE = 3

    def __init__(self, channels: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.seed = seed
        self.conv_a, self.conv_b = (
            ReluConvNorm(
                channels,
                self.SIZE,
                stride=stride,
                seed=child_seed(seed, name),
                dtype=self.dtype_policy,
                name=name,
            )
            for name, stride in (("conv_a", 2), ("conv_b", 1))
        )

    def build(self, input_shape: Shape) -> None:
        self.conv_a.build(input_shape)
        self.conv_b.build(self.conv_a.compute_output_shape(input_shape))
        self.shortcut_kernel = self.add_weight(
            name="shortcut_kernel",
            shape=(1, 1, input_shape[-1], self.channels),
            initializer=uniform(child_seed(self.seed, "shortcut"), input_shape[-1]),
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.conv_a.compute_output_shape(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns [B, ⌈H/2⌉, ⌈W/2⌉, channels] of [B, H, W, C]."""
        value = self.conv_b(self.conv_a(inputs, training=training), training=training)
        return value + convolve(tf.nn.avg_pool2d(inputs, 2, 2, "SAME"), self.shortcut_kernel)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"channels": self.channels, "seed": self.seed}


class BenchNetwork(keras.Model):
    """Everything but the cells; see the subclasses.

    Args:
      cell: makes a cell of `channels=`, `seed=`, `dtype=` and `name=`.
      classes: K.
      channels: C of the first stage.
      cells_per_stage: N.
      seed: integer for the initial weights; None draws from Keras' global generator.

    Attributes:
      cells: of all stages, the residual blocks between them.
      rematerialize: whether cells are computed again in the backward pass; it may be set.

    Raises:
      UserError: the settings make no network.
    """

    def __init__(
        self,
        cell: Callable[..., keras.layers.Layer],
        classes: int,
        channels: int = 16,
        cells_per_stage: int = 5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes = {"classes": classes, "channels": channels, "cells_per_stage": cells_per_stage}
        for name, value in sizes.items():
            check_count(name, value, "a network")
        self.classes = classes
        self.channels = channels
        self.cells_per_stage = cells_per_stage
        self.seed = seed
        self.rematerialize = False
        self.supports_jit = False  # XLA's convolutions are slow on the CPU; `fit` would use it
        self.stem = ConvBatchNorm(
            channels, seed=child_seed(seed, "stem"), dtype=self.dtype_policy, name="stem"
        )
        kinds = [
            (kind, channels * 2**stage)
            for stage in range(STAGES)
            for kind in [ResidualBlock] * (stage > 0) + [cell] * cells_per_stage
        ]
        self.cells = [
            kind(
                channels=width,
                seed=child_seed(seed, "cell", i),
                dtype=self.dtype_policy,
                name=f"cell_{i}",
            )
            for i, (kind, width) in enumerate(kinds)
        ]
        self.last_norm = BatchNorm(dtype=self.dtype_policy, name="last_norm")
        self.classifier = linear(
            classes,
            channels * 2 ** (STAGES - 1),
            child_seed(seed, "classifier"),
            dtype=self.dtype_policy,
            name="classifier",
        )

    def build(self, input_shape: Shape) -> None:
        """Makes the weights for images [B, H, W, channels], H and W known."""
        if len(input_shape) != 4 or None in input_shape[1:]:
            raise UserError(
                f"Images of shape {tuple(input_shape)}: the network needs [batch, height, width,"
                " channels] with the last three known; resize the images to one size."
            )
        keep_activations(self)
        for layer, shape in self.layer_shapes(input_shape):
            layer.build(shape)
        self.built = True

    def layer_shapes(self, input_shape: Shape) -> list[tuple[keras.layers.Layer, Shape]]:
        """Stem, cells and blocks, batch norm and linear layer, and the shape that each gets."""
        layers, shape = [], tuple(input_shape)
        for layer in (self.stem, *self.cells):
            layers.append((layer, shape))
            shape = layer.compute_output_shape(shape)
        return [*layers, (self.last_norm, shape), (self.classifier, (shape[0], shape[-1]))]

    def logits(self, images: tf.Tensor, mixing: tf.Tensor | None, training: bool) -> tf.Tensor:
        """The logits [B, classes]; `mixing` is what cells take besides, if anything."""
        if not self.built:
            self.build(images.shape)
        extra = [] if mixing is None else [mixing]
        value = self.stem(activations(images), training=training)
        for layer in self.cells:
            if isinstance(layer, ResidualBlock):
                value = layer(value, training=training)
            elif training and self.rematerialize:
                value = rematerialized_cell(layer, value, mixing)
            else:
                value = layer(value, *extra, training=training)
        value = tf.nn.relu(self.last_norm(value, training=training))
        return self.classifier(tf.reduce_mean(full(value), axis=[1, 2]))

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("classes", "channels", "cells_per_stage", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}


class RelaxedBenchNetwork(BenchNetwork):
    """The supernet: every cell is relaxed, and all have the same mixing weights.

    Args:
      topology: of the cell, or what its `get_config` gives.
      edge_options: see `RelaxedBenchCell`.
      **kwargs: see `BenchNetwork`.
    """

    def __init__(
        self,
        topology: CellTopology | Mapping[str, Any],
        edge_options: Sequence[EdgeWrapper | Mapping[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        if isinstance(topology, Mapping):
            topology = CellTopology.from_config(topology)
        options = wrappers_from(edge_options)
        cell = functools.partial(RelaxedBenchCell, topology=topology, edge_options=options)
        super().__init__(cell, **kwargs)
        self.edge_options = options
        self._topology = (topology,)  # in a tuple: Keras takes other data apart

    @property
    def topology(self) -> CellTopology:
        """Of the cell."""
        return self._topology[0]

    @property
    def relaxed_cells(self) -> list[RelaxedBenchCell]:
        """The cells, without the blocks between them."""
        return [layer for layer in self.cells if isinstance(layer, RelaxedBenchCell)]

    def call(
        self, images: tf.Tensor, mixing: Mapping[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """Returns the logits [B, classes].

        Args:
          images: [B, H, W, channels], normalised.
          mixing: "cell", [edges, operations].
          training: batch or running statistics.
        """
        return self.logits(images, mixing["cell"], training)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        options = {"edge_options": wrappers_config(self.edge_options)}
        return super().get_config() | options | {"topology": self.topology.get_config()}


@keras.saving.register_keras_serializable(package="tf_darts")
class NasBench201Network(BenchNetwork):
    """An image classifier of one cell: an ordinary Keras model, which gives logits.

    Args:
      genotype: the cell; or what its `to_dict` gives.
      **kwargs: see `BenchNetwork`.

    Examples:
      >>> from tf_darts.cells.published import PUBLISHED
      >>> cell = PUBLISHED["nasbench201"]["resnet"]
      >>> NasBench201Network(cell, classes=10, channels=4, cells_per_stage=1)(
      ...     tf.zeros([2, 8, 8, 3])
      ... ).shape
      TensorShape([2, 10])
    """

    def __init__(self, genotype: Genotype | Mapping[str, Any], **kwargs: Any) -> None:
        if isinstance(genotype, Mapping):
            genotype = genotype_class("nasbench201").from_dict(dict(genotype))
        space = getattr(genotype, "space", None)
        if space != "nasbench201":
            given = f"{space} cell" if space else type(genotype).__name__
            raise UserError(
                f"A network of NAS-Bench-201 cannot be made of a {given}; give it a cell of the"
                " space nasbench201."
            )
        nodes = genotype.cells["cell"].nodes
        super().__init__(functools.partial(DerivedBenchCell, nodes), **kwargs)
        self._genotype = (genotype,)

    @property
    def genotype(self) -> Genotype:
        """The cell."""
        return self._genotype[0]

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the logits [B, classes] of images [B, H, W, channels]."""
        return self.logits(images, None, training)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        return super().get_config() | {"genotype": self.genotype.to_dict()}
