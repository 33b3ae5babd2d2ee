"""A discrete cell as a Keras layer: two operations for each node."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.cells.genotype import Edge
from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.layout import halved
from tf_darts.spaces.convolutional.operations.base import child_seed
from tf_darts.spaces.convolutional.operations.convolutions import (
    FactorizedReduction,
    ReluConvBatchNorm,
)
from tf_darts.spaces.convolutional.operations.registry import Identity, make_operation

INPUTS = 2  # the outputs of the two cells before
Shape = tuple[int | None, ...]


def drop_path_factors(
    seed: tf.Tensor, rate: tf.Tensor | float, edges: int, batch: tf.Tensor | int, dtype: str
) -> tf.Tensor:
    """What drop-path multiplies edges with: 1/(1-p) with probability 1-p, else 0.

    Args:
      seed: int32 [2].
      rate: p, scalar, 0 to 1.
      edges: how many edges.
      batch: B, how many examples; each has draws of its own.
      dtype: of the result.

    Returns:
      [edges, B].
    """
    keep = 1.0 - tf.cast(rate, dtype)
    mask = tf.random.stateless_uniform([edges, batch], seed, dtype=dtype) < keep
    # At p = 1 nothing is kept.
    return tf.math.divide_no_nan(tf.cast(mask, dtype), keep)


class DerivedCell(keras.layers.Layer):
    """A cell of a genotype, with learnable batch norms.

        x(j) = o₁(x(i₁)) + o₂(x(i₂)),   output = concatenation of some of the nodes

    Args:
      nodes: for each node its `(operation, predecessor)` edges; 0 and 1 are the cell's inputs.
      concat: the nodes whose concatenation is the output.
      channels: C of every node.
      reduction: whether the edges from the two inputs have stride 2.
      reduction_before: whether the cell before was a reduction cell, so that the first input is
        twice as high and wide as the second.
      seed: integer for the initial weights; None draws from Keras' global generator.

    Examples:
      >>> cell = DerivedCell([[("sep_conv_3x3", 0), ("skip_connect", 1)]], [2], channels=4)
      >>> cell((tf.ones([1, 8, 8, 6]), tf.ones([1, 8, 8, 6]))).shape
      TensorShape([1, 8, 8, 4])
    """

    def __init__(
        self,
        nodes: Sequence[Sequence[Edge]],
        concat: Sequence[int],
        channels: int,
        reduction: bool = False,
        reduction_before: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Keras wraps what it is given; these are plain data.
        self.nodes = tuple(tuple((name, source) for name, source in edges) for edges in nodes)
        self.concat = tuple(concat)
        self.channels = channels
        self.reduction = reduction
        self.reduction_before = reduction_before
        self.seed = seed
        first = FactorizedReduction if reduction_before else ReluConvBatchNorm
        self.preprocess = [
            layer(
                channels,
                seed=child_seed(seed, "input", i),
                dtype=self.dtype_policy,
                name=f"input_{i}",
            )
            for i, layer in enumerate((first, ReluConvBatchNorm))
        ]
        # In the genotype's order, two for each node.
        self.edges = [
            make_operation(
                name,
                channels,
                stride=self.edge_stride(source),
                seed=child_seed(seed, "edge", node, place),
                dtype=self.dtype_policy,
                name=f"node_{INPUTS + node}_{place}_{name}",
            )
            for node, edges in enumerate(self.nodes)
            for place, (name, source) in enumerate(edges)
        ]

    @property
    def sources(self) -> list[int]:
        """The predecessor of each of `edges`."""
        return [source for edges in self.nodes for _, source in edges]

    def build(self, shapes: tuple[Shape, Shape]) -> None:
        for layer, shape in self.layer_shapes(shapes):
            layer.build(shape)

    def layer_shapes(self, shapes: tuple[Shape, Shape]) -> list[tuple[keras.layers.Layer, Shape]]:
        """The cell's layers in order, and the shape [B, H, W, channels] that each gets."""
        return [
            *zip(self.preprocess, shapes, strict=True),
            *(
                (layer, self.edge_shape(source, shapes))
                for layer, source in zip(self.edges, self.sources, strict=True)
            ),
        ]

    def edge_shape(self, source: int, shapes: tuple[Shape, Shape]) -> Shape:
        """The shape that an edge from a node gets, where the cell gets these."""
        if source < INPUTS:
            return (*self.preprocess[1].compute_output_shape(shapes[1])[:3], self.channels)
        return (*self.compute_output_shape(shapes)[:3], self.channels)

    def edge_stride(self, source: int) -> int:
        """The stride of an edge from a node."""
        return 2 if self.reduction and source < INPUTS else 1

    def compute_output_shape(self, shapes: tuple[Shape, Shape]) -> Shape:
        batch, *size, _ = shapes[1]
        if self.reduction:
            size = [halved(pixels) for pixels in size]
        return (batch, *size, len(self.concat) * self.channels)

    def call(
        self,
        inputs: tuple[tf.Tensor, tf.Tensor],
        factors: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns the concatenation [B, H', W', nodes·C].

        Args:
          inputs: the outputs of the cell before the last, and of the last.
          factors: of `drop_path_factors`, [edges, B]; None drops nothing. Those of identities are
            not used.
          training: batch or running statistics.
        """
        nodes = [
            layer(value, training=training)
            for layer, value in zip(self.preprocess, inputs, strict=True)
        ]
        terms: list[tf.Tensor] = []
        for row, (layer, source) in enumerate(zip(self.edges, self.sources, strict=True)):
            term = like(layer(nodes[source], training=training), nodes[source])
            if factors is not None and not isinstance(layer, Identity):
                term *= like(tf.reshape(factors[row], [-1, 1, 1, 1]), term)
            terms.append(term)
            if len(terms) == len(self.nodes[len(nodes) - INPUTS]):
                nodes.append(tf.add_n(terms))
                terms = []
        return tf.concat([nodes[node] for node in self.concat], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("nodes", "concat", "channels", "reduction", "reduction_before", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}
