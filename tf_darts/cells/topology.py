"""The graph of a relaxed cell: which edges there are, and which rows of α they own."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tf_darts.errors import UserError

# What a cell gives: its chosen nodes side by side or averaged, or its last node.
OUTPUTS = ("concat", "mean", "last")


@dataclasses.dataclass(frozen=True)
class CellTopology:
    """A cell as an ordered DAG (docs/method.md section 1).

    Nodes `0 .. inputs-1` are given, nodes `inputs .. inputs+nodes-1` are searched. Every searched
    node has one edge from each earlier node. Edges are numbered by target node, then by
    predecessor; edge `e` owns row `e` of the cell's α, an `[edges, columns]` table.

    Attributes:
      inputs: number of given nodes.
      nodes: number of searched nodes.
      keep: how many incoming edges a searched node keeps in the discrete cell; None: all of them.
      operations: the candidates, in the order of α's columns; or such a list for each edge.
      none_competes: whether an edge of the discrete cell may have the operation `none`.
      output: one of `OUTPUTS`.

    Raises:
      UserError: it has no nodes, its first searched node has fewer edges than nodes keep, an edge
        has no operations or one of them twice, there is not one list for each edge, or the lists
        are not equally long.
    """

    inputs: int
    nodes: int
    keep: int | None
    operations: tuple[str, ...] | tuple[tuple[str, ...], ...]
    none_competes: bool = False
    output: str = "concat"

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise UserError(
                f"a cell's output is {self.output!r}; it is one of {', '.join(OUTPUTS)}."
            )
        if self.inputs < 1 or self.nodes < 1:
            raise UserError(
                f"a cell has {self.inputs} given and {self.nodes} searched nodes; it needs one of"
                " each or more."
            )
        if self.keep is not None and not 1 <= self.keep <= self.inputs:
            raise UserError(
                f"a cell's nodes keep {self.keep} edges, and the first searched one has"
                f" {self.inputs}; let them keep 1 to {self.inputs}, or all (None)."
            )
        for names in self.operations if self.by_edge else (self.operations,):
            if not names or len(set(names)) < len(names):
                raise UserError(
                    f"the operations of a cell's edge are {', '.join(names) or 'none at all'}; name"
                    " one or more, each once."
                )
        if not self.by_edge:
            return
        lengths = [len(names) for names in self.operations]
        if len(lengths) != self.edges or len(set(lengths)) > 1:
            raise UserError(
                f"a cell of {self.edges} edges has {len(lengths)} lists of operations with"
                f" {', '.join(map(str, sorted(set(lengths))))} names; give one list for each edge,"
                " all equally long."
            )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "CellTopology":
        """The inverse of `get_config`, also when it went through JSON."""
        operations = tuple(o if isinstance(o, str) else tuple(o) for o in config["operations"])
        return cls(**{**config, "operations": operations})

    def get_config(self) -> dict[str, Any]:
        """Its attributes, as JSON types."""
        operations = [o if isinstance(o, str) else list(o) for o in self.operations]
        return dataclasses.asdict(self) | {"operations": operations}

    @property
    def by_edge(self) -> bool:
        """Whether every edge has a list of operations of its own."""
        return any(not isinstance(names, str) for names in self.operations)

    @property
    def edges(self) -> int:
        """The number of edges, the rows of α."""
        return sum(self.inputs + i for i in range(self.nodes))

    @property
    def columns(self) -> int:
        """The number of candidates of an edge, the columns of α."""
        return len(self.operations_of(0))

    @property
    def all_operations(self) -> tuple[str, ...]:
        """Every operation that some edge may have, once."""
        if not self.by_edge:
            return self.operations
        return tuple(dict.fromkeys(name for names in self.operations for name in names))

    def operations_of(self, edge: int) -> tuple[str, ...]:
        """The candidates of an edge, in the order of α's columns."""
        return self.operations[edge] if self.by_edge else self.operations

    def choices(self, edge: int) -> tuple[str, ...]:
        """The candidates that the edge may have in a discrete cell."""
        names = self.operations_of(edge)
        return names if self.none_competes else tuple(name for name in names if name != "none")

    def kept(self, node: int) -> int:
        """How many edges searched node `node` (0 is the first) has in a discrete cell."""
        return self.inputs + node if self.keep is None else self.keep

    def rows(self, node: int) -> slice:
        """The rows of α that belong to the edges into searched node `node` (0 is the first)."""
        start = sum(self.inputs + i for i in range(node))
        return slice(start, start + self.inputs + node)

    @property
    def edge_names(self) -> list[str]:
        """`"predecessor→node"` for every row of α."""
        return [
            f"{source}→{self.inputs + node}"
            for node in range(self.nodes)
            for source in range(self.inputs + node)
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellLabels:
    """What is written into the drawing of a cell.

    Attributes:
      title: above it.
      inputs: in its given nodes; or, where `mixed`, in the boxes before them.
      mixed: whether the given nodes mix these inputs, and are numbered like the searched ones.
      output: in its output.
    """

    title: str = ""
    inputs: tuple[str, ...] = ()
    mixed: bool = False
    output: str = "out"
