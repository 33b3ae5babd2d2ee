"""Discrete cells: what a search leaves behind and every other mode takes.

A genotype is data. `RecurrentGenotype` and `ConvolutionalGenotype` check themselves when they are
made. `cells/genotype_files.py` writes and reads them, and `cells/published.py` has the published
ones.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from tf_darts.cells import foreign as foreign_cells
from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

# The candidate operations in the order of the columns of α (docs/method.md sections 4 and 5).
RECURRENT_PRIMITIVES = ("none", "tanh", "relu", "sigmoid", "identity")
CONVOLUTIONAL_PRIMITIVES = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
# Outside the searched space; published cells of NASNet and AmoebaNet need them.
EXTRA_CONVOLUTIONAL_PRIMITIVES = ("sep_conv_7x7", "conv_7x1_1x7")
_added_convolutional: list[str] = []

Edge = tuple[str, int]  # (operation, predecessor)


def add_convolutional_primitive(name: str) -> None:
    """One candidate more for searches, the last, and for cells, as long as this process lives."""
    _added_convolutional.append(name)


def convolutional_primitives() -> tuple[str, ...]:
    """The candidates of searches for convolutional cells: the paper's, then those added."""
    return (*CONVOLUTIONAL_PRIMITIVES, *_added_convolutional)


def _provenance() -> Any:
    """The field of a genotype that says where the cell is from: it is no part of the cell."""
    return dataclasses.field(default_factory=dict, compare=False, repr=False, kw_only=True)


def _check_edge(edge: Edge, operations: tuple[str, ...], nodes_before: int, location: str) -> None:
    operation, predecessor = edge
    if operation not in operations or operation == "none":
        choices = ", ".join(name for name in operations if name != "none")
        unknown = shown(repr(operation))
        raise UserError(f"{location}: unknown operation {unknown}; use one of {choices}.")
    if not 0 <= predecessor < nodes_before:
        raise UserError(
            f"{location}: predecessor {shown(predecessor)} is not an earlier node; a cell has no"
            f" cycles, so use 0 to {nodes_before - 1}."
        )


def _edges(rows: Any, location: str) -> tuple[Edge, ...]:
    """A flat sequence of edges; a nested one, node by node, is made flat."""
    try:
        rows = list(rows)
        if rows and all(
            isinstance(row, list | tuple) and row and all(isinstance(e, list | tuple) for e in row)
            for row in rows
        ):
            rows = [edge for row in rows for edge in row]
        edges = tuple((operation, predecessor) for operation, predecessor in rows)
    except (TypeError, ValueError):
        edges = None
    if edges is None or not all(isinstance(o, str) and type(p) is int for o, p in edges):
        raise UserError(f"{location}: expected a list of [operation, predecessor] pairs.")
    return edges


def _nodes(rows: Any, location: str) -> tuple[tuple[Edge, ...], ...]:
    """Two edges a node, of a flat sequence of edges or of one node by node."""
    nested = isinstance(rows, list | tuple) and any(
        isinstance(row, list | tuple) and row and isinstance(row[0], list | tuple) for row in rows
    )
    if nested:
        return tuple(_edges(row, location) for row in rows)
    flat = _edges(rows, location)
    return tuple(flat[i : i + 2] for i in range(0, len(flat), 2))


def _integers(values: Any, location: str) -> tuple[int, ...]:
    few = isinstance(values, list | tuple | range) and len(values) <= foreign_cells.MOST_NODES
    if not few or not all(type(value) is int for value in values):
        raise UserError(f"{location}: expected a list of node numbers.")
    return tuple(values)


def _check_fields(cell: Any, names: tuple[str, ...]) -> None:
    """Raises `UserError` where a cell's JSON has other fields than these."""
    if not isinstance(cell, Mapping):
        raise UserError("not a genotype file, expected a JSON object as its cell.")
    for name in names:
        if name not in cell:
            raise UserError(f"not a genotype file, {name!r} is missing in its cell.")
    for name in cell:
        if name not in names:
            raise UserError(
                f"unknown field {shown(repr(name))} in its cell; a cell has {', '.join(names)}, so"
                " take the other out."
            )


def _check_concat(concat: tuple[int, ...], inputs: int, nodes: int, location: str) -> None:
    allowed = range(inputs, inputs + nodes)
    if not concat or len(set(concat)) != len(concat) or any(n not in allowed for n in concat):
        raise UserError(
            f"{location}: its output joins nodes {shown(list(concat))}, and its edges make"
            f" {allowed.start} to {allowed.stop - 1}; join distinct ones of these, or add the"
            " edges that are missing."
        )


@dataclasses.dataclass(frozen=True)
class RecurrentGenotype:
    """A recurrent cell: node 0 mixes input and state, node i+1 applies `edges[i]`.

    Attributes:
      edges: one `(operation, predecessor)` for each node after the first.
      concat: the nodes whose mean is the cell's output; lists and ranges become tuples.
      provenance: where the cell is from, as JSON types; cells that differ in it alone are equal.
    """

    edges: tuple[Edge, ...]
    concat: tuple[int, ...]
    provenance: Mapping[str, Any] = _provenance()
    space: ClassVar[str] = "recurrent"

    def __post_init__(self) -> None:
        location = "recurrent cell"
        object.__setattr__(self, "edges", _edges(self.edges, location))
        object.__setattr__(self, "concat", _integers(self.concat, location))
        if not self.edges:
            raise UserError("recurrent cell: it has no nodes; at least one is needed.")
        for i, edge in enumerate(self.edges):
            _check_edge(edge, RECURRENT_PRIMITIVES, i + 1, f"recurrent cell, node {i + 1}")
        _check_concat(self.concat, 1, len(self.edges), "recurrent cell")

    @classmethod
    def from_cells(cls, cells: dict[str, list[list[Edge]]]) -> "RecurrentGenotype":
        """From derived edges by node, `{"cell": [[edge], ...]}`; every node is averaged."""
        edges = tuple(node[0] for node in cells["cell"])
        return cls(edges, tuple(range(1, len(edges) + 1)))

    def to_dict(self) -> dict[str, Any]:
        """The cell as JSON types."""
        return {"recurrent": [list(e) for e in self.edges], "concat": list(self.concat)}

    @classmethod
    def from_dict(cls, cell: dict[str, Any]) -> "RecurrentGenotype":
        """The inverse of `to_dict`; raises `UserError` on a cell that cannot be."""
        _check_fields(cell, foreign_cells.FIELDS[cls.space])
        return cls(cell["recurrent"], cell["concat"])

    def __str__(self) -> str:
        return " ".join(f"{operation}:{predecessor}" for operation, predecessor in self.edges)


@dataclasses.dataclass(frozen=True)
class ConvolutionalGenotype:
    """A normal and a reduction cell; nodes 0 and 1 are the outputs of the two cells before.

    Attributes:
      normal, reduce: for each intermediate node its two `(operation, predecessor)` edges; may be
        given flat, two to a node, as in the official named tuples.
      normal_concat, reduce_concat: the nodes concatenated into the output.
      provenance: where the cell is from, as JSON types; cells that differ in it alone are equal.
    """

    normal: tuple[tuple[Edge, Edge], ...]
    normal_concat: tuple[int, ...]
    reduce: tuple[tuple[Edge, Edge], ...]
    reduce_concat: tuple[int, ...]
    provenance: Mapping[str, Any] = _provenance()
    space: ClassVar[str] = "convolutional"

    def __post_init__(self) -> None:
        operations = convolutional_primitives() + EXTRA_CONVOLUTIONAL_PRIMITIVES
        for name in ("normal", "reduce"):
            location = f"{name} cell"
            nodes = _nodes(getattr(self, name), location)
            object.__setattr__(self, name, nodes)
            concat = _integers(getattr(self, f"{name}_concat"), location)
            object.__setattr__(self, f"{name}_concat", concat)
            if not nodes:
                raise UserError(f"{location}: it has no nodes; at least one is needed.")
            for i, node in enumerate(nodes):
                if len(node) != 2:
                    raise UserError(f"{location}, node {i + 2}: needs two edges, has {len(node)}.")
                for edge in node:
                    _check_edge(edge, operations, i + 2, f"{location}, node {i + 2}")
            _check_concat(concat, 2, len(nodes), location)

    @classmethod
    def from_cells(cls, cells: dict[str, list[list[Edge]]]) -> "ConvolutionalGenotype":
        """From derived edges by node, `{"normal": ..., "reduce": ...}`; every node is joined."""
        return cls(
            tuple(tuple(node) for node in cells["normal"]),
            tuple(range(2, len(cells["normal"]) + 2)),
            tuple(tuple(node) for node in cells["reduce"]),
            tuple(range(2, len(cells["reduce"]) + 2)),
        )

    def to_dict(self) -> dict[str, Any]:
        """The cells as JSON types, edges in a flat list, two to a node."""
        return {
            "normal": [list(edge) for node in self.normal for edge in node],
            "normal_concat": list(self.normal_concat),
            "reduce": [list(edge) for node in self.reduce for edge in node],
            "reduce_concat": list(self.reduce_concat),
        }

    @classmethod
    def from_dict(cls, cell: dict[str, Any]) -> "ConvolutionalGenotype":
        """The inverse of `to_dict`; raises `UserError` on cells that cannot be."""
        _check_fields(cell, foreign_cells.FIELDS[cls.space])
        return cls(**cell)

    def __str__(self) -> str:
        def cell(nodes: tuple[tuple[Edge, Edge], ...]) -> str:
            return " | ".join(" ".join(f"{o}:{p}" for o, p in node) for node in nodes)

        return f"normal {cell(self.normal)} / reduce {cell(self.reduce)}"


Genotype = RecurrentGenotype | ConvolutionalGenotype
SPACES: dict[str, type[Genotype]] = {
    "recurrent": RecurrentGenotype,
    "convolutional": ConvolutionalGenotype,
}


def genotype_class(space: str) -> type[Genotype]:
    """The class of a space's cells; raises `UserError` where there is no such space."""
    if space not in SPACES:
        raise UserError(f"unknown space {shown(repr(space))}; known: {', '.join(SPACES)}.")
    return SPACES[space]
