"""The best cells that a budget allows, exactly: a knapsack over the edges (docs/own_method.md).

A cell is as good as the product of its edges' mixing weights, so the sum of their logarithms is
largest. Edge by edge, what was chosen before is a list of parts, none of which another beats: is
neither cheaper and as good, nor better and as cheap (a Pareto front). Without a budget the last of
them is DARTS's own cell.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.costs import Costs
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology

_LEAST = 1e-300  # in place of 0, which has no logarithm


class _Part(NamedTuple):
    """Some edges with their operations.

    Attributes:
      cost: their multiply-adds.
      score: the sum of the logarithms of their mixing weights.
      chosen: (kind, row, column) of the last of them, and before it that of the others; () of none.
    """

    cost: int
    score: float
    chosen: tuple[Any, ...]


def within_budget(
    mixing: Mapping[str, np.ndarray],
    cells: Mapping[str, CellTopology],
    costs: Costs,
    budget: float,
) -> dict[str, list[list[Edge]]] | None:
    """The kept edges of the best cells of at most `budget` multiply-adds; None: there are none.

    Of equally good ones the cheapest, and DARTS's own where the budget has room for it.

    Args:
      mixing: [edges, operations] for each kind of cell.
      cells: the topology of each kind of cell.
      costs: of the networks that are made of them.
      budget: for the whole network.
    """
    edges = derive(mixing, cells)
    return edges if costs.of(edges, cells) <= budget else knapsack(mixing, cells, costs, budget)


def knapsack(
    mixing: Mapping[str, np.ndarray],
    cells: Mapping[str, CellTopology],
    costs: Costs,
    budget: float,
) -> dict[str, list[list[Edge]]] | None:
    """The same, always by way of all parts."""
    front = [_Part(costs.base, 0.0, ())]
    for kind, topology in cells.items():
        scores = np.log(np.maximum(np.asarray(mixing[kind], np.float64), _LEAST))
        for node in range(topology.nodes):
            # By how many of the node's edges are in it.
            fronts = [front, *([] for _ in range(topology.kept(node)))]
            for row in range(topology.edges)[topology.rows(node)]:
                choices = [
                    (int(costs.tables[kind][row, column]), float(scores[row, column]), column)
                    for column in _columns(topology, row)
                ]
                for count in range(len(fronts) - 1, 0, -1):
                    more = (
                        _Part(part.cost + cost, part.score + score, ((kind, row, column), part))
                        for part in fronts[count - 1]
                        for cost, score, column in choices
                        if part.cost + cost <= budget
                    )
                    fronts[count] = _unbeaten([*fronts[count], *more])
            front = fronts[-1]
    return _edges(front[-1], mixing, cells) if front else None


def smallest(cells: Mapping[str, CellTopology], costs: Costs) -> int:
    """The multiply-adds of the cheapest network of such cells."""
    total = costs.base
    for kind, topology in cells.items():
        table = costs.tables[kind]
        for node in range(topology.nodes):
            rows = range(topology.edges)[topology.rows(node)]
            cheapest = sorted(min(table[row, list(_columns(topology, row))]) for row in rows)
            total += int(sum(cheapest[: topology.kept(node)]))
    return total


def cheapest(mixing: np.ndarray, topology: CellTopology, costs: np.ndarray) -> np.ndarray:
    """Whether it is its edge's cheapest choice, of equals the strongest: [edges, operations].

    Args:
      mixing: [edges, operations], by which equals are told apart.
      topology: of a kind of cell.
      costs: [edges, operations], multiply-adds.
    """
    chosen = np.zeros(mixing.shape, bool)
    for row in range(topology.edges):
        columns = _columns(topology, row)
        chosen[row, min(columns, key=lambda k: (costs[row, k], -mixing[row, k]))] = True
    return chosen


def _columns(topology: CellTopology, row: int) -> Iterator[int]:
    """The columns of α that an edge of a discrete cell may have."""
    names, choices = topology.operations_of(row), topology.choices(row)
    return (column for column, name in enumerate(names) if name in choices)


def _unbeaten(parts: Iterable[_Part]) -> list[_Part]:
    """The parts that none of the others beats, by cost and so by score."""
    front: list[_Part] = []
    best = -math.inf
    for part in sorted(parts, key=lambda part: (part.cost, -part.score)):
        if part.score > best:
            front.append(part)
            best = part.score
    return front


def _edges(
    part: _Part, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
) -> dict[str, list[list[Edge]]]:
    """What was chosen, by node: the strongest first where nodes keep some of their edges."""
    chosen: dict[tuple[str, int], int] = {}
    while part.chosen:
        (kind, row, column), part = part.chosen
        chosen[kind, row] = column
    edges = {}
    for kind, topology in cells.items():
        edges[kind] = []
        for node in range(topology.nodes):
            rows = range(topology.edges)[topology.rows(node)]
            node_edges = [(source, row) for source, row in enumerate(rows) if (kind, row) in chosen]
            if topology.keep is not None:
                node_edges.sort(key=lambda edge: -mixing[kind][edge[1], chosen[kind, edge[1]]])
            names = (topology.operations_of(row)[chosen[kind, row]] for _, row in node_edges)
            edges[kind].append([(n, s) for n, (s, _) in zip(names, node_edges, strict=True)])
    return edges
