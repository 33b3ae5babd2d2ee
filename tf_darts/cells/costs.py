"""What the networks of a space cost: a part that all have, and a part for each edge of a cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology

Cells = Mapping[str, Sequence[Sequence[Edge]]]  # the edges of each kind of cell, by node


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Costs:
    """The multiply-adds of a network, as a sum over the edges of its cells.

    Attributes:
      base: of what every network has: stem, what is before and between the cells, classifier.
      tables: by kind of cell, of each operation on each edge, whole numbers [edges, operations]: of
        all cells of the kind together.
    """

    base: int
    tables: Mapping[str, np.ndarray]

    @classmethod
    def of_total(
        cls,
        total: int,
        edges: Cells,
        tables: Mapping[str, np.ndarray],
        cells: Mapping[str, CellTopology],
    ) -> Costs:
        """The costs whose sum is `total` for the network of one cell.

        Args:
          total: multiply-adds of that network.
          edges: of that cell.
          tables: as the attribute.
          cells: the topology of each kind of cell.
        """
        return cls(base=total - cls(base=0, tables=tables).of(edges, cells), tables=tables)

    def of(self, edges: Cells, cells: Mapping[str, CellTopology]) -> int:
        """The multiply-adds of the network of a cell.

        Args:
          edges: of the cell.
          cells: the topology of each kind of cell.
        """
        total = self.base
        for kind, topology in cells.items():
            for node, node_edges in enumerate(edges[kind]):
                for name, source in node_edges:
                    row = topology.rows(node).start + source
                    total += int(self.tables[kind][row, topology.operations_of(row).index(name)])
        return total

    def expected(self, mixing: Mapping[str, np.ndarray]) -> float:
        """The sum in which operations count by their mixing weights, on all edges.

        At one-hot rows, and rows of 0 for edges that are not kept, it is the cell's own.

        Args:
          mixing: [edges, operations] for each kind of cell.
        """
        sums = [np.sum(np.float64(mixing[kind]) * table) for kind, table in self.tables.items()]
        return float(self.base + sum(sums))
