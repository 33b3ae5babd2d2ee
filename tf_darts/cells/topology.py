"""The graph of a relaxed cell: which edges there are, and which rows of α they own."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class CellTopology:
    """A cell as an ordered DAG (docs/method.md section 1).

    Nodes `0 .. inputs-1` are given, nodes `inputs .. inputs+nodes-1` are searched. Every searched
    node has one edge from each earlier node. Edges are numbered by target node, then by
    predecessor; edge `e` owns row `e` of the cell's α, an `[edges, len(operations)]` table.

    Attributes:
      inputs: number of given nodes.
      nodes: number of searched nodes.
      keep: how many incoming edges a searched node keeps in the discrete cell.
      operations: the candidates, in the order of α's columns.
    """

    inputs: int
    nodes: int
    keep: int
    operations: tuple[str, ...]

    @property
    def edges(self) -> int:
        """The number of edges, the rows of α."""
        return sum(self.inputs + i for i in range(self.nodes))

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
