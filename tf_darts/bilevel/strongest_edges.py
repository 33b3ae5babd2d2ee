"""From mixing weights to the discrete cell (docs/method.md section 3)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology


def strongest_edges(mixing: np.ndarray, topology: CellTopology) -> list[list[Edge]]:
    """The edges that each searched node keeps, strongest first; all of them in their order.

    An edge is as strong as its strongest operation that a discrete cell may have (`none` only where
    it competes), and keeps that operation. Ties go to the lower predecessor and the earlier
    operation.

    Args:
      mixing: [edges, operations], the mixing weights of one cell.
      topology: the cell's graph, which says how many edges a node keeps.
    """
    cell = []
    for node in range(topology.nodes):
        rows = range(topology.edges)[topology.rows(node)]
        strongest = [_strongest(np.asarray(mixing)[row], topology, row) for row in rows]
        sources = range(len(rows))
        if topology.keep is not None:
            # A stable sort of the negated strengths leaves ties in the predecessors' order.
            strengths = np.array([strength for strength, _ in strongest])
            sources = np.argsort(-strengths, kind="stable")[: topology.keep].tolist()
        cell.append([(strongest[source][1], source) for source in sources])
    return cell


def _strongest(weights: np.ndarray, topology: CellTopology, edge: int) -> tuple[Any, str]:
    """The largest mixing weight of an edge's choices, and its operation; of equals the first."""
    names, choices = topology.operations_of(edge), topology.choices(edge)
    columns = [k for k, name in enumerate(names) if name in choices]
    best = int(weights[columns].argmax())
    return weights[columns][best], names[columns[best]]


def derive(
    mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
) -> dict[str, list[list[Edge]]]:
    """The kept edges of every kind of cell, by node: what `Genotype.from_cells` takes."""
    return {name: strongest_edges(mixing[name], topology) for name, topology in cells.items()}


def one_hot(
    edges: Mapping[str, Sequence[Sequence[Edge]]], cells: Mapping[str, CellTopology]
) -> dict[str, np.ndarray]:
    """A discrete cell as mixing weights: 1 for its operations, 0 for all others."""
    tables = {}
    for kind, topology in cells.items():
        tables[kind] = np.zeros([topology.edges, topology.columns])
        for node, node_edges in enumerate(edges[kind]):
            for name, source in node_edges:
                row = topology.rows(node).start + source
                tables[kind][row, topology.operations_of(row).index(name)] = 1.0
    return tables
