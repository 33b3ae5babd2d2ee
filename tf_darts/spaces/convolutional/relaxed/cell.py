"""The relaxed convolutional cell as Keras layers, as the mathematics reads."""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.cells.genotype import convolutional_primitives
from tf_darts.cells.topologies import convolutional_topology
from tf_darts.runtime.precision import full, like
from tf_darts.spaces.convolutional.operations.base import child_seed
from tf_darts.spaces.convolutional.operations.convolutions import (
    FactorizedReduction,
    ReluConvBatchNorm,
)
from tf_darts.spaces.convolutional.operations.registry import make_operation
from tf_darts.spaces.fast_forms import fast_form


class MixedOperation(keras.layers.Layer):
    """All candidate operations at once, weighted (eq. 2). Its batch norms are not affine.

    Args:
      channels: C of inputs and outputs.
      stride: 1 or 2.
      primitives: the candidates' names, in the order of their weights; None for those of searches.
      seed: integer for the initial weights; None draws from Keras' global generator.

    Example:
      >>> mixed = MixedOperation(channels=4)
      >>> mixed(tf.ones([1, 8, 8, 4]), mixing=tf.fill([8], 0.125)).shape
      TensorShape([1, 8, 8, 4])
    """

    def __init__(
        self,
        channels: int,
        stride: int = 1,
        primitives: tuple[str, ...] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.stride = stride
        self.primitives = convolutional_primitives() if primitives is None else tuple(primitives)
        self.seed = seed
        self.operations = {
            name: make_operation(
                name,
                channels,
                stride=stride,
                affine=False,
                seed=child_seed(seed, name),
                dtype=self.dtype_policy,
                name=name,
            )
            for name in self.primitives
        }

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for operation in self.operations.values():
            operation.build(input_shape)

    def call(self, inputs: tf.Tensor, mixing: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns Σ_o mixing_o · o(inputs).

        Args:
          inputs: [B, H, W, C].
          mixing: [operations].
          training: batch or running statistics.
        """
        outputs = [
            like(mixing[k] * full(operation(inputs, training=training)), inputs)
            for k, operation in enumerate(self.operations.values())
        ]
        return tf.add_n(outputs)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("channels", "stride", "primitives", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}


class RelaxedCell(keras.layers.Layer):
    """A cell whose every edge is a mixed operation (docs/method.md section 4).

    Args:
      channels: C of every node; the output has `nodes` times as many.
      reduction: whether the edges from the two inputs have stride 2.
      reduction_before: whether the cell before was a reduction cell, so that the first input is
        twice as high and wide as the second.
      nodes: searched nodes.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    def __init__(
        self,
        channels: int,
        reduction: bool = False,
        reduction_before: bool = False,
        nodes: int = 4,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.reduction = reduction
        self.reduction_before = reduction_before
        self.nodes = nodes
        self.seed = seed
        self.topology = convolutional_topology(nodes)
        common = {"affine": False, "dtype": self.dtype_policy}
        first = FactorizedReduction if reduction_before else ReluConvBatchNorm
        self.preprocess = [
            first(channels, seed=child_seed(seed, "input", 0), name="input_0", **common),
            ReluConvBatchNorm(
                channels, seed=child_seed(seed, "input", 1), name="input_1", **common
            ),
        ]
        self.edges = [
            MixedOperation(
                channels,
                stride=2 if reduction and source < self.topology.inputs else 1,
                primitives=self.topology.operations,
                seed=child_seed(seed, "edge", source, node),
                dtype=self.dtype_policy,
                name=f"edge_{source}_{self.topology.inputs + node}",
            )
            for node in range(nodes)
            for source in range(self.topology.inputs + node)
        ]

    def build(self, shapes: tuple[tuple[int | None, ...], tuple[int | None, ...]]) -> None:
        for layer, shape in zip(self.preprocess, shapes, strict=True):
            layer.build(shape)
        outside = self.preprocess[1].compute_output_shape(shapes[1])
        size = [-(-pixels // 2) for pixels in outside[1:3]] if self.reduction else outside[1:3]
        for node in range(self.nodes):
            rows = range(*self.topology.rows(node).indices(len(self.edges)))
            for source, row in enumerate(rows):
                inside = outside if source < self.topology.inputs else (None, *size, self.channels)
                self.edges[row].build(inside)

    def call(
        self,
        inputs: tuple[tf.Tensor, tf.Tensor],
        mixing: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns the searched nodes' concatenation, [B, H', W', nodes·C].

        Args:
          inputs: the outputs of the cell before the last, and of the last.
          mixing: [edges, operations].
          training: batch or running statistics.
        """
        if (fast := fast_form(RelaxedCell, self, inputs, mixing, training)) is not None:
            return fast()
        nodes = [
            layer(value, training=training)
            for layer, value in zip(self.preprocess, inputs, strict=True)
        ]
        for node in range(self.nodes):  # eqs. 1 and 2
            rows = range(*self.topology.rows(node).indices(len(self.edges)))
            terms = [
                self.edges[row](value, mixing[row], training=training)
                for row, value in zip(rows, nodes, strict=True)
            ]
            nodes.append(tf.add_n(terms))
        return tf.concat(nodes[self.topology.inputs :], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("channels", "reduction", "reduction_before", "nodes", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}
