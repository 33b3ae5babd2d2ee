"""How much of a cell is right, in spaces of which the right answer is known."""

from typing import NamedTuple

from tf_darts.cells.genotype import Genotype
from tf_darts.cells.published import published_cells
from tf_darts.cells.space import find_space


class AnswerMatch(NamedTuple):
    """What of the right answer a cell has.

    Attributes:
      right: how many edges have the right operation.
      edges: how many there are.
      p: how probable as many or more are where every edge has any of its operations alike, each
        apart from the others.
    """

    right: int
    edges: int
    p: float

    def __str__(self) -> str:
        return f"{self.right} of {self.edges} edges have the right operation (p = {self.p:.2g})"


def match_answer(cell: Genotype, operations: str = "") -> AnswerMatch | None:
    """What a cell has of its space's answer; None where nobody knows one.

    Args:
      cell: every edge of its space is kept in it.
      operations: among which the search chose, as in `--operations`; where it left some out in
        stages they count, since it might have chosen them.
    """
    space = find_space(cell.space)
    answer = space.answer
    if answer is None:
        return None
    right_cell = published_cells(cell.space)[answer]
    right, chances = 0, []
    for kind, topology in space.narrowed(operations).items():
        pairs = zip(_edges(cell, kind), _edges(right_cell, kind), strict=True)
        for row, (edge, right_edge) in enumerate(pairs):
            names = topology.choices(row)
            right += edge == right_edge
            chances.append((right_edge[0] in names) / len(names))
    return AnswerMatch(right, len(chances), at_least(right, chances))


def _edges(cell: Genotype, kind: str) -> list[tuple[str, int]]:
    return [edge for node in cell.cells[kind].nodes for edge in sorted(node, key=lambda e: e[1])]


def at_least(count: int, chances: list[float]) -> float:
    """The probability that of independent events so many or more happen.

    Args:
      count: how many.
      chances: the probability of each event.
    """
    probabilities = [1.0]  # of 0, 1, … of the events so far
    for chance in chances:
        without = [p * (1 - chance) for p in probabilities] + [0.0]
        with_it = [0.0] + [p * chance for p in probabilities]
        probabilities = [a + b for a, b in zip(without, with_it, strict=True)]
    return sum(probabilities[count:])
