"""The relaxed convolutional cell as Keras layers, as the mathematics reads."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.cells.genotype import primitives_of
from tf_darts.cells.topologies import convolutional_topology
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.precision import full, like
from tf_darts.spaces.convolutional.operations.base import child_seed
from tf_darts.spaces.convolutional.operations.convolutions import (
    FactorizedReduction,
    ReluConvBatchNorm,
)
from tf_darts.spaces.convolutional.operations.registry import make_operation
from tf_darts.spaces.edge_wrappers import (
    EdgePlace,
    EdgeWrapper,
    further_columns,
    make_edge,
    wrappers_config,
    wrappers_from,
)
from tf_darts.spaces.fast_forms import fast_form
from tf_darts.spaces.sampled import is_one_hot, sampled_operation


class MixedOperation(keras.layers.Layer):
    """All candidate operations at once, weighted (eq. 2). Its batch norms are not affine.

    Args:
      channels: C of inputs and outputs.
      stride: 1 or 2.
      primitives: the candidates' names, in the order of their weights; None for those of searches.
      seed: integer for the initial weights; None draws from Keras' global generator.

    Examples:
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
        self.primitives = tuple(primitives or primitives_of("convolutional"))
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
        if is_one_hot():
            operations = list(self.operations.values())
            return sampled_operation(self, operations, inputs, mixing, training)
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
      channels: C of every node; where the output is all nodes side by side, it has `nodes` times as
        many.
      reduction: whether the edges from the inputs have stride 2.
      reduction_before: whether the cell before was a reduction cell, so that the first input is
        twice as high and wide as the second.
      nodes: searched nodes, where no topology is given.
      seed: integer for the initial weights; None draws from Keras' global generator.
      topology: the graph, which says the inputs, each edge's operations and what is the output, or
        what its `get_config` gives; None: the convolutional space's of `nodes` nodes.
      preprocessed: whether the inputs go through ReLU, convolution and batch norm first, which give
        them C channels; without it they have these.
      edge_options: what is around every mixed operation, the innermost first: options, or what
        `get_config` gives.
    """

    def __init__(
        self,
        channels: int,
        reduction: bool = False,
        reduction_before: bool = False,
        nodes: int = 4,
        seed: int | None = None,
        topology: CellTopology | Mapping[str, Any] | None = None,
        preprocessed: bool = True,
        edge_options: Sequence[EdgeWrapper | Mapping[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(topology, Mapping):
            topology = CellTopology.from_config(topology)
        self.channels = channels
        self.reduction = reduction
        self.reduction_before = reduction_before
        self.seed = seed
        self.topology = topology or convolutional_topology(nodes)
        self.preprocessed = preprocessed
        self.edge_options = wrappers_from(edge_options)
        inputs = self.topology.inputs
        common = {"affine": False, "dtype": self.dtype_policy}
        first = FactorizedReduction if reduction_before and inputs > 1 else ReluConvBatchNorm
        self.preprocess = [
            layer(channels, seed=child_seed(seed, "input", i), name=f"input_{i}", **common)
            for i, layer in enumerate([first, *[ReluConvBatchNorm] * (inputs - 1)])
            if preprocessed
        ]
        self.edges = [
            self._edge(source, node, row)
            for node in range(self.topology.nodes)
            for source, row in enumerate(self._rows(node))
        ]

    def _edge(self, source: int, node: int, row: int) -> keras.layers.Layer:
        """The layer of the edge from a node to a searched one."""
        inputs, name = self.topology.inputs, f"edge_{source}_{self.topology.inputs + node}"
        stride = 2 if self.reduction and source < inputs else 1
        operations = self.topology.operations_of(row)
        seed = child_seed(self.seed, "edge", source, node)

        def mixed(channels: int) -> MixedOperation:
            return MixedOperation(
                channels,
                stride=stride,
                primitives=operations,
                seed=seed,
                dtype=self.dtype_policy,
                name=name,
            )

        place = EdgePlace(self.channels, stride, operations, seed, self.dtype_policy)
        return make_edge(mixed, place, self.edge_options, name)

    def _rows(self, node: int) -> range:
        """The rows of α of the edges into a searched node."""
        return range(self.topology.edges)[self.topology.rows(node)]

    @property
    def output_channels(self) -> int:
        """How many channels the output has."""
        return self.channels * (self.topology.nodes if self.topology.output == "concat" else 1)

    @property
    def columns(self) -> int:
        """How many numbers an edge's row has."""
        return self.topology.columns + further_columns(self.edge_options)

    def build(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        for layer, shape in zip(self.preprocess, shapes, strict=self.preprocessed):
            layer.build(shape)
        outside = shapes[-1]
        if self.preprocessed:
            outside = self.preprocess[-1].compute_output_shape(shapes[-1])
        size = [-(-pixels // 2) for pixels in outside[1:3]] if self.reduction else outside[1:3]
        for node in range(self.topology.nodes):
            for source, row in enumerate(self._rows(node)):
                inside = outside if source < self.topology.inputs else (None, *size, self.channels)
                self.edges[row].build(inside)

    def given_nodes(self, inputs: Sequence[tf.Tensor], training: bool) -> list[tf.Tensor]:
        """The cell's inputs as its first nodes, [B, H, W, C] each."""
        if not self.preprocessed:
            return list(inputs)
        return [
            layer(value, training=training)
            for layer, value in zip(self.preprocess, inputs, strict=True)
        ]

    def output_of(self, nodes: Sequence[tf.Tensor]) -> tf.Tensor:
        """What the cell gives of all its nodes."""
        searched = nodes[self.topology.inputs :]
        if self.topology.output == "concat":
            return tf.concat(searched, axis=-1)
        return (
            searched[-1] if self.topology.output == "last" else tf.add_n(searched) / len(searched)
        )

    def call(
        self,
        inputs: Sequence[tf.Tensor],
        mixing: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns the cell's output, of all searched nodes [B, H', W', nodes·C].

        Args:
          inputs: one for each given node: the outputs of the cell before the last, and of the last.
          mixing: [edges, columns]; with `edge_options`, as `spaces/edge_wrappers.py` says.
          training: batch or running statistics.
        """
        if (fast := fast_form(RelaxedCell, self, inputs, mixing, training)) is not None:
            return fast()
        nodes = self.given_nodes(inputs, training)
        for node in range(self.topology.nodes):  # eqs. 1 and 2
            terms = [
                self.edges[row](value, mixing[row], training=training)
                for row, value in zip(self._rows(node), nodes, strict=True)
            ]
            nodes.append(tf.add_n(terms))
        return self.output_of(nodes)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("channels", "reduction", "reduction_before", "seed", "preprocessed")
        own = {name: getattr(self, name) for name in names}
        options = {"edge_options": wrappers_config(self.edge_options)}
        return super().get_config() | own | options | {"topology": self.topology.get_config()}
