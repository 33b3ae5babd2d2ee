"""From mixing weights to the discrete cell (docs/method.md section 3)."""

from collections.abc import Mapping

import numpy as np

from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology


def strongest_edges(mixing: np.ndarray, topology: CellTopology) -> list[list[Edge]]:
    """The edges that each searched node keeps, strongest first.

    An edge is as strong as its strongest operation other than `none`, and keeps that operation.
    Ties go to the lower predecessor and the earlier operation.

    Args:
      mixing: [edges, operations], the mixing weights of one cell.
      topology: the cell's graph; `topology.keep` edges are kept at each node.
    """
    candidates = [k for k, name in enumerate(topology.operations) if name != "none"]
    cell = []
    for node in range(topology.nodes):
        rows = np.asarray(mixing)[topology.rows(node)][:, candidates]
        # A stable sort of the negated strengths leaves ties in the predecessors' order, and
        # argmax takes the first of equals.
        sources = np.argsort(-rows.max(axis=1), kind="stable")[: topology.keep]
        cell.append(
            [
                (topology.operations[candidates[int(rows[source].argmax())]], int(source))
                for source in sources
            ]
        )
    return cell


def derive(
    mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
) -> dict[str, list[list[Edge]]]:
    """The kept edges of every kind of cell, by node: what `Genotype.from_cells` takes."""
    return {name: strongest_edges(mixing[name], topology) for name, topology in cells.items()}
