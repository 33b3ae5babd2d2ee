"""Discrete cells: what a search leaves behind and every other mode takes.

A genotype is data. `RecurrentGenotype` and `ConvolutionalGenotype` check themselves when they are
made, and go to JSON and back (`save`, `load`). The published ones are in `published_cells.py`.
"""

import dataclasses
import json
import pathlib
from typing import Any, ClassVar

from tf_darts.errors import UserError
from tf_darts.runtime.files import write_atomically

SCHEMA_VERSION = 1

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


def _check_edge(edge: Edge, known: tuple[str, ...], nodes_before: int, where: str) -> None:
    operation, predecessor = edge
    if operation not in known or operation == "none":
        choices = ", ".join(name for name in known if name != "none")
        raise UserError(f"{where}: unknown operation {operation!r}; use one of {choices}.")
    if not 0 <= predecessor < nodes_before:
        raise UserError(
            f"{where}: predecessor {predecessor} is not an earlier node; a cell has no cycles,"
            f" so use 0 to {nodes_before - 1}."
        )


def _edges(rows: Any, where: str) -> tuple[Edge, ...]:
    try:
        edges = tuple((operation, predecessor) for operation, predecessor in rows)
    except (TypeError, ValueError):
        edges = None
    if edges is None or not all(
        isinstance(o, str) and isinstance(p, int) and not isinstance(p, bool) for o, p in edges
    ):
        raise UserError(f"{where}: expected a list of [operation, predecessor] pairs.")
    return edges


def _integers(values: Any, where: str) -> tuple[int, ...]:
    if not isinstance(values, list | tuple) or not all(type(v) is int for v in values):
        raise UserError(f"{where}: expected a list of node numbers.")
    return tuple(values)


def _check_concat(concat: tuple[int, ...], inputs: int, nodes: int, where: str) -> None:
    allowed = range(inputs, inputs + nodes)
    if not concat or len(set(concat)) != len(concat) or any(n not in allowed for n in concat):
        raise UserError(
            f"{where}: its output joins nodes {list(concat)}, and its edges make {allowed.start} to"
            f" {allowed.stop - 1}; join distinct ones of these, or add the edges that are missing."
        )


@dataclasses.dataclass(frozen=True)
class RecurrentGenotype:
    """A recurrent cell: node 0 mixes input and state, node i+1 applies `edges[i]`.

    Attributes:
      edges: one `(operation, predecessor)` for each node after the first.
      concat: the nodes whose mean is the cell's output.
    """

    edges: tuple[Edge, ...]
    concat: tuple[int, ...]
    space: ClassVar[str] = "recurrent"

    def __post_init__(self) -> None:
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
        return cls(
            _edges(cell["recurrent"], "recurrent cell"),
            _integers(cell["concat"], "recurrent cell"),
        )

    def __str__(self) -> str:
        return " ".join(f"{operation}:{predecessor}" for operation, predecessor in self.edges)


@dataclasses.dataclass(frozen=True)
class ConvolutionalGenotype:
    """A normal and a reduction cell; nodes 0 and 1 are the outputs of the two cells before.

    Attributes:
      normal, reduce: for each intermediate node its two `(operation, predecessor)` edges.
      normal_concat, reduce_concat: the nodes concatenated into the output.
    """

    normal: tuple[tuple[Edge, Edge], ...]
    normal_concat: tuple[int, ...]
    reduce: tuple[tuple[Edge, Edge], ...]
    reduce_concat: tuple[int, ...]
    space: ClassVar[str] = "convolutional"

    def __post_init__(self) -> None:
        known = convolutional_primitives() + EXTRA_CONVOLUTIONAL_PRIMITIVES
        for name in ("normal", "reduce"):
            nodes, where = getattr(self, name), f"{name} cell"
            if not nodes:
                raise UserError(f"{where}: it has no nodes; at least one is needed.")
            for i, node in enumerate(nodes):
                if len(node) != 2:
                    raise UserError(f"{where}, node {i + 2}: needs two edges, has {len(node)}.")
                for edge in node:
                    _check_edge(edge, known, i + 2, f"{where}, node {i + 2}")
            _check_concat(getattr(self, f"{name}_concat"), 2, len(nodes), where)

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

        def nodes(name: str) -> tuple[tuple[Edge, ...], ...]:
            flat = _edges(cell[name], f"{name} cell")
            return tuple(flat[i : i + 2] for i in range(0, len(flat), 2))

        return cls(
            nodes("normal"),
            _integers(cell["normal_concat"], "normal cell"),
            nodes("reduce"),
            _integers(cell["reduce_concat"], "reduce cell"),
        )

    def __str__(self) -> str:
        def cell(nodes: tuple[tuple[Edge, Edge], ...]) -> str:
            return " | ".join(" ".join(f"{o}:{p}" for o, p in node) for node in nodes)

        return f"normal {cell(self.normal)} / reduce {cell(self.reduce)}"


Genotype = RecurrentGenotype | ConvolutionalGenotype
SPACES: dict[str, type] = {
    "recurrent": RecurrentGenotype,
    "convolutional": ConvolutionalGenotype,
}


def save(
    path: pathlib.Path | str, genotype: Genotype, found_by: dict[str, Any] | None = None
) -> None:
    """Writes the genotype as JSON, atomically; `found_by` says how it was found."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "space": genotype.space,
        "cell": genotype.to_dict(),
        "found_by": found_by or {},
    }
    write_atomically(path, json.dumps(document, indent=2) + "\n")


def load(path: pathlib.Path | str) -> Genotype:
    """Reads a genotype; raises `UserError` in one sentence where the file is not one."""
    try:
        document = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot read the genotype ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: not a genotype file, it is not JSON ({error}); give RUN/genotype.json of a"
            " search."
        ) from error
    try:
        return _from_document(document)
    except KeyError as error:
        raise UserError(
            f"{path}: not a genotype file, {error} is missing; give RUN/genotype.json of a search."
        ) from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _from_document(document: Any) -> Genotype:
    """The genotype in a file's JSON; raises `KeyError` where a part is missing."""
    if not isinstance(document, dict):
        raise UserError("not a genotype file, expected a JSON object.")
    version, space, cell = (document[key] for key in ("schema_version", "space", "cell"))
    if version != SCHEMA_VERSION:
        raise UserError(
            f"genotype schema {version!r}, this tf_darts reads {SCHEMA_VERSION}; upgrade tf_darts"
            " or search again."
        )
    if not isinstance(space, str) or space not in SPACES:
        raise UserError(f"unknown space {space!r}; known: {', '.join(SPACES)}.")
    if not isinstance(cell, dict):
        raise UserError("not a genotype file, expected a JSON object as its cell.")
    return SPACES[space].from_dict(cell)
