"""The image classifier around the relaxed cells: stem, cells, global pooling, linear."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.cells.topologies import convolutional_topology
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.precision import activations, full, like
from tf_darts.spaces.convolutional.layout import cell_places
from tf_darts.spaces.convolutional.operations.base import child_seed, keep_activations, uniform
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell
from tf_darts.spaces.convolutional.rematerialized import rematerialized_cell
from tf_darts.spaces.edge_wrappers import EdgeWrapper, wrappers_config, wrappers_from

STEM_FACTOR = 3  # the stem has so many times the first cell's channels


class RelaxedImageClassifier(keras.layers.Layer):
    """The supernet of docs/method.md section 4.

    Cells ⌊layers/3⌋ and ⌊2·layers/3⌋, counted from 0, are reduction cells: half the resolution,
    twice the channels.

    Args:
      classes: how many there are.
      channels: C of the first cell's nodes.
      layers: the number of cells.
      nodes: searched nodes of a cell, where no topologies are given.
      seed: integer for the initial weights; None draws from Keras' global generator.
      topologies: "normal" and "reduce", the graphs of the two kinds of cells, or what their
        `get_config` gives; None: the convolutional space's of `nodes` nodes.
      edge_options: see `RelaxedCell`.

    Attributes:
      rematerialize: whether cells are computed again in the backward pass; it may be set.

    Examples:
      >>> model = RelaxedImageClassifier(classes=10, channels=4, layers=3)
      >>> mixing = {name: tf.fill([14, 8], 0.125) for name in ("normal", "reduce")}
      >>> model(tf.zeros([2, 16, 16, 3]), mixing).shape
      TensorShape([2, 10])
    """

    def __init__(
        self,
        classes: int,
        channels: int = 16,
        layers: int = 8,
        nodes: int = 4,
        seed: int | None = None,
        topologies: Mapping[str, CellTopology | Mapping[str, Any]] | None = None,
        edge_options: Sequence[EdgeWrapper | Mapping[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if topologies is None:
            topologies = dict.fromkeys(("normal", "reduce"), convolutional_topology(nodes))
        # Keras wraps lists and mappings; these are plain data.
        self._topologies = tuple(
            (kind, CellTopology.from_config(graph) if isinstance(graph, Mapping) else graph)
            for kind, graph in topologies.items()
        )
        self.classes = classes
        self.channels = channels
        self.layers = layers
        self.seed = seed
        self.edge_options = wrappers_from(edge_options)
        self.rematerialize = False
        self.stem_norm = BatchNorm(dtype=self.dtype_policy, name="stem_norm")
        self.cells = [
            RelaxedCell(
                **place._asdict(),
                topology=self.topologies["reduce" if place.reduction else "normal"],
                seed=child_seed(seed, "cell", i),
                edge_options=self.edge_options,
                dtype=self.dtype_policy,
                name=f"cell_{i}",
            )
            for i, place in enumerate(cell_places(channels, layers))
        ]

    @property
    def topologies(self) -> dict[str, CellTopology]:
        """The graph of each kind of cell."""
        return dict(self._topologies)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        keep_activations(self)
        batch, height, width, depth = input_shape
        stem = STEM_FACTOR * self.channels
        self.stem_kernel = self.add_weight(
            name="stem_kernel",
            shape=(3, 3, depth, stem),
            initializer=uniform(child_seed(self.seed, "stem"), 9 * depth),
        )
        self.stem_norm.build((batch, height, width, stem))
        places = self.cell_shapes((height, width, depth))
        for cell, shapes, _ in places:
            cell.build(tuple((batch, *shape) for shape in shapes))
        features = places[-1][2][-1]
        self.head_kernel, self.head_bias = (
            self.add_weight(
                name=name, shape=shape, initializer=uniform(child_seed(self.seed, name), features)
            )
            for name, shape in (
                ("head_kernel", (features, self.classes)),
                ("head_bias", (self.classes,)),
            )
        )

    def cell_shapes(
        self, image_shape: tuple[int, int, int]
    ) -> list[tuple[RelaxedCell, list[tuple[int, ...]], tuple[int, ...]]]:
        """Each cell, the shapes [H, W, channels] of its inputs, and that of its output."""
        height, width, _ = image_shape
        shapes, places = [(height, width, STEM_FACTOR * self.channels)] * 2, []
        for cell in self.cells:
            height, width = shapes[1][:2]
            if cell.reduction:
                height, width = -(-height // 2), -(-width // 2)
            output = (height, width, cell.output_channels)
            places.append((cell, shapes, output))
            shapes = [shapes[1], output]
        return places

    def call(
        self, images: tf.Tensor, mixing: Mapping[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """Returns the logits [B, classes].

        Args:
          images: [B, H, W, channels], normalised.
          mixing: "normal" and "reduce", [edges, operations] each.
          training: batch or running statistics.
        """
        images = activations(images)
        kernel = like(tf.convert_to_tensor(self.stem_kernel), images)
        stem = tf.nn.conv2d(images, kernel, 1, "SAME")
        stem = self.stem_norm(stem, training=training)
        previous, last = stem, stem
        for cell in self.cells:
            weights = mixing["reduce" if cell.reduction else "normal"]
            if training and self.rematerialize:
                previous, last = last, rematerialized_cell(cell, (previous, last), weights)
            else:
                previous, last = last, cell((previous, last), weights, training=training)
        features = tf.reduce_mean(full(last), axis=[1, 2])
        logits = tf.matmul(features, tf.convert_to_tensor(self.head_kernel))
        return tf.nn.bias_add(logits, tf.convert_to_tensor(self.head_bias))

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("classes", "channels", "layers", "seed")
        own = {name: getattr(self, name) for name in names}
        topologies = {kind: graph.get_config() for kind, graph in self.topologies.items()}
        options = {"edge_options": wrappers_config(self.edge_options)}
        return super().get_config() | own | options | {"topologies": topologies}
