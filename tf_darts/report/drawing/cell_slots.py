"""The order and the heights of a cell's nodes, labels and arrows in their columns.

Nodes stand in columns by the length of the longest path to them. Between two columns of nodes is
one for labels. An arrow has a *slot* in every column it passes, one of them high enough for its
label. The columns are ordered for few crossings (barycentre sweeps and swaps, from several starts)
and the heights are those of the straightest arrows (least squares under that order).
"""

import dataclasses
import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

_LABEL_HEIGHT = 15.0
_LINE_HEIGHT = 4.0
_ROW_GAP = 9.0  # between two slots of a column
_STARTS = 12
_SWEEPS = 8
_STRAIGHTENINGS = 20, 400  # to compare orders, and for the one that is drawn


@dataclasses.dataclass(frozen=True)
class Arrow:
    """What is to be drawn from node `source` to node `target`; no label is ""."""

    source: int
    target: int
    label: str = ""


class Slots:
    """The room that nodes and arrows take in the columns.

    Slot `n` for `n < nodes` is node n. `chains[a]` are the slots of arrow a from its source to its
    target; `label_slot[a]` is the one that holds its label.
    """

    def __init__(self, node_heights: Sequence[float], arrows: Sequence[Arrow]) -> None:
        self.column = _columns(len(node_heights), arrows)
        self.height = list(node_heights)
        self.chains: list[list[int]] = []
        self.label_slot: list[int | None] = []
        labels = [0] * (max(self.column) + 1)
        for arrow in arrows:
            first_column, last_column = self.column[arrow.source], self.column[arrow.target]
            label_column = None
            if arrow.label:
                # The emptiest of the label columns keeps the drawing low; then the middlemost.
                label_column = min(
                    range(first_column + 1, last_column, 2),
                    key=lambda c: (labels[c], abs(2 * c - first_column - last_column)),
                )
                labels[label_column] += 1
            inner = range(len(self.column), len(self.column) + last_column - first_column - 1)
            for column in range(first_column + 1, last_column):
                self.column.append(column)
                self.height.append(_LABEL_HEIGHT if column == label_column else _LINE_HEIGHT)
            self.chains.append([arrow.source, *inner, arrow.target])
            self.label_slot.append(inner[label_column - first_column - 1] if arrow.label else None)
        self.predecessors: list[list[int]] = [[] for _ in self.column]
        self.successors: list[list[int]] = [[] for _ in self.column]
        for chain in self.chains:
            for left, right in pairwise(chain):
                self.successors[left].append(right)
                self.predecessors[right].append(left)
        self.nodes = len(node_heights)

    def weight(self, left: int, right: int) -> float:
        """How much a step of an arrow wants to be level: long arrows more than short ones."""
        return (1.0, 2.0, 8.0)[(left >= self.nodes) + (right >= self.nodes)]


def _columns(nodes: int, arrows: Sequence[Arrow]) -> list[int]:
    """The column of each node: even, by longest path; the last node is right of all others."""
    column = [0] * nodes
    for arrow in sorted(arrows, key=lambda a: a.target):
        column[arrow.target] = max(column[arrow.target], column[arrow.source] + 2)
    column[-1] = max(column[:-1]) + 2
    return column


def _crossings(order: list[list[int]], slots: Slots) -> int:
    total = 0
    for left, right in pairwise(order):
        place = {slot: i for i, slot in enumerate(right)}
        ends = [
            place[successor]
            for slot in left
            for successor in sorted(slots.successors[slot], key=place.get)
        ]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def _swap_gain(upper: int, lower: int, place: dict[int, int], slots: Slots) -> int:
    """By how many crossings two neighbours of a column would do better the other way round."""
    gain = 0
    for neighbours in (slots.predecessors, slots.successors):
        for a in neighbours[upper]:
            for b in neighbours[lower]:
                gain += (place[a] > place[b]) - (place[a] < place[b])
    return gain


def _sweep(order: list[list[int]], slots: Slots) -> None:
    """One pass to the right and back by barycentres, then swaps while they help."""
    place = {slot: i for column in order for i, slot in enumerate(column)}

    def renumber(column: list[int]) -> None:
        place.update((slot, i) for i, slot in enumerate(column))

    for columns, neighbours in ((order, slots.predecessors), (order[::-1], slots.successors)):
        for column in columns:
            means = {
                s: sum(place[n] for n in neighbours[s]) / len(neighbours[s])
                if neighbours[s]
                else place[s]
                for s in column
            }
            column.sort(key=means.get)
            renumber(column)
    improved = True
    while improved:
        improved = False
        for column in order:
            for i in range(len(column) - 1):
                if _swap_gain(column[i], column[i + 1], place, slots) > 0:
                    column[i], column[i + 1] = column[i + 1], column[i]
                    renumber(column)
                    improved = True


def _separated(preferred: list[float], weights: list[float], gaps: list[float]) -> list[float]:
    """The heights nearest to `preferred` (least squares) with each `gap` above the one before."""
    if not gaps:
        return preferred
    from scipy import optimize  # SciPy takes half a second, which no run should begin with

    offsets = np.cumsum([0.0, *gaps])
    levels = optimize.isotonic_regression(np.subtract(preferred, offsets), weights=weights)
    return (levels.x + offsets).tolist()


def _heights(
    order: list[list[int]], slots: Slots, straightenings: int
) -> tuple[list[float], float]:
    """The y of every slot, and how crooked the arrows then are (the least squares' cost)."""
    y = [0.0] * len(slots.column)
    gaps = [
        [(slots.height[a] + slots.height[b]) / 2 + _ROW_GAP for a, b in pairwise(c)] for c in order
    ]
    steps = [(a, b, slots.weight(a, b)) for c in slots.chains for a, b in pairwise(c)]
    near: list[list[tuple[int, float]]] = [[] for _ in y]
    for a, b, weight in steps:
        near[a].append((b, weight))
        near[b].append((a, weight))
    indices = list(range(len(order)))
    for sweep in range(straightenings):
        for i in indices if sweep % 2 else indices[::-1]:
            column = order[i]
            weights = [sum(w for _, w in near[s]) for s in column]
            preferred = [
                sum(y[n] * w for n, w in near[s]) / weight if weight else y[s]
                for s, weight in zip(column, weights, strict=True)
            ]
            # A node on its own must not have the weight 0: it could not be averaged with others.
            placed = _separated(preferred, [w or 0.01 for w in weights], gaps[i])
            for slot, height in zip(column, placed, strict=True):
                y[slot] = height
    return y, sum(weight * (y[a] - y[b]) ** 2 for a, b, weight in steps)


def best_heights(slots: Slots) -> list[float]:
    """The y of each slot's centre: fewest crossings and then the straightest arrows."""
    candidates = []
    for start in range(_STARTS):
        generator = random.Random(start)
        order: list[list[int]] = [[] for _ in range(max(slots.column) + 1)]
        for slot, column in enumerate(slots.column):
            order[column].append(slot)
        if start:
            for column in order:
                generator.shuffle(column)
        for _ in range(_SWEEPS):
            _sweep(order, slots)
        candidates.append((_crossings(order, slots), start, order))
    fewest = min(candidates)[0]
    best = min(
        (order for crossings, _, order in candidates if crossings == fewest),
        key=lambda order: round(_heights(order, slots, _STRAIGHTENINGS[0])[1], 6),
    )
    y, _ = _heights(best, slots, _STRAIGHTENINGS[1])
    # Upside down it is as good a drawing; the first input belongs above the second.
    return y if y[0] > y[1] else [-height for height in y]
