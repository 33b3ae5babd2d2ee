"""The cell, relaxed and derived: node j is x(j) = Σ_{i<j} o_{ij}(x(i)), the last is the output."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.runtime.precision import full, like
from tf_darts.spaces.convolutional.operations.base import child_seed
from tf_darts.spaces.edge_wrappers import (
    EdgePlace,
    EdgeWrapper,
    further_columns,
    make_edge,
    wrappers_config,
    wrappers_from,
)
from tf_darts.spaces.fast_forms import fast_form
from tf_darts.spaces.nasbench201.operations import make_operation
from tf_darts.spaces.sampled import is_one_hot, sampled_operation

Shape = tuple[int | None, ...]


class RelaxedEdge(keras.layers.Layer):
    """All candidate operations at once, weighted: Σ_o mixing_o · o(x).

    Args:
      channels: C of input and output.
      operations: the candidates' names, in the order of their weights.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    def __init__(
        self, channels: int, operations: Sequence[str], seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.names = tuple(operations)
        self.seed = seed
        self.operations = [
            make_operation(
                name,
                channels,
                affine=False,
                seed=child_seed(seed, name),
                dtype=self.dtype_policy,
                name=name,
            )
            for name in self.names
        ]

    def build(self, input_shape: Shape) -> None:
        for operation in self.operations:
            operation.build(input_shape)

    def call(self, inputs: tf.Tensor, mixing: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns Σ_o mixing_o · o(inputs), [B, H, W, C].

        Args:
          inputs: [B, H, W, C].
          mixing: [operations].
          training: batch or running statistics.
        """
        if is_one_hot():
            return sampled_operation(self, self.operations, inputs, mixing, training)
        outputs = [
            like(mixing[column] * full(operation(inputs, training=training)), inputs)
            for column, (name, operation) in enumerate(
                zip(self.names, self.operations, strict=True)
            )
            if name != "none"  # zeros, whatever their weight
        ]
        return tf.add_n(outputs) if outputs else tf.zeros_like(inputs)

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        own = {"channels": self.channels, "operations": self.names, "seed": self.seed}
        return super().get_config() | own


class RelaxedBenchCell(keras.layers.Layer):
    """A cell whose every edge applies all candidates; its batch norms have no scale and offset.

    Args:
      channels: C of every node.
      topology: the graph, with each edge's operations; or what its `get_config` gives.
      seed: integer for the initial weights; None draws from Keras' global generator.
      edge_options: what is around every relaxed edge, the innermost first: options, or what
        `get_config` gives.
    """

    def __init__(
        self,
        channels: int,
        topology: CellTopology | Mapping[str, Any],
        seed: int | None = None,
        edge_options: Sequence[EdgeWrapper | Mapping[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(topology, Mapping):
            topology = CellTopology.from_config(topology)
        self.channels = channels
        self.topology = topology
        self.seed = seed
        self.edge_options = wrappers_from(edge_options)
        self.edges = [self._edge(row) for row in range(topology.edges)]

    def _edge(self, row: int) -> keras.layers.Layer:
        """The layer of an edge."""
        name, seed = f"edge_{row}", child_seed(self.seed, "edge", row)
        operations = self.topology.operations_of(row)

        def relaxed(channels: int) -> RelaxedEdge:
            return RelaxedEdge(channels, operations, seed, dtype=self.dtype_policy, name=name)

        place = EdgePlace(self.channels, 1, operations, seed, self.dtype_policy)
        return make_edge(relaxed, place, self.edge_options, name)

    @property
    def columns(self) -> int:
        """How many numbers an edge's row has."""
        return self.topology.columns + further_columns(self.edge_options)

    def build(self, input_shape: Shape) -> None:
        for edge in self.edges:
            edge.build((*input_shape[:-1], self.channels))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, inputs: tf.Tensor, mixing: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the last node, [B, H, W, C].

        Args:
          inputs: node 0, [B, H, W, C].
          mixing: [edges, operations]; with `edge_options`, as `spaces/edge_wrappers.py` says.
          training: batch or running statistics.
        """
        if (fast := fast_form(RelaxedBenchCell, self, inputs, mixing, training)) is not None:
            return fast()
        nodes = [inputs]
        for node in range(self.topology.nodes):
            rows = range(self.topology.edges)[self.topology.rows(node)]
            terms = [
                self.edges[row](value, mixing[row], training=training)
                for row, value in zip(rows, nodes, strict=True)
            ]
            nodes.append(tf.add_n(terms))
        return nodes[-1]

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        own = {"channels": self.channels, "seed": self.seed}
        own["edge_options"] = wrappers_config(self.edge_options)
        return super().get_config() | own | {"topology": self.topology.get_config()}


class DerivedBenchCell(keras.layers.Layer):
    """A cell of a genotype, with learnable batch norms and no biases.

    Args:
      nodes: for each node after the input its (operation, predecessor) edges.
      channels: C of every node.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    def __init__(
        self,
        nodes: Sequence[Sequence[Edge]],
        channels: int,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Keras wraps what it is given; these are plain data.
        self.nodes = tuple(tuple((name, source) for name, source in edges) for edges in nodes)
        self.channels = channels
        self.seed = seed
        self.edges = [
            make_operation(
                name,
                channels,
                seed=child_seed(seed, "edge", node, source),
                dtype=self.dtype_policy,
                name=f"edge_{source}_{node}_{name}",
            )
            for node, edges in enumerate(self.nodes, start=1)
            for name, source in edges
        ]

    def build(self, input_shape: Shape) -> None:
        for edge in self.edges:
            edge.build((*input_shape[:-1], self.channels))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the last node [B, H, W, C].

        Args:
          inputs: node 0, [B, H, W, C].
          training: batch or running statistics.
        """
        nodes, edges = [inputs], iter(self.edges)
        for sources in self.nodes:
            terms = [next(edges)(nodes[source], training=training) for _, source in sources]
            nodes.append(tf.add_n(terms))
        return nodes[-1]

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("nodes", "channels", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}
