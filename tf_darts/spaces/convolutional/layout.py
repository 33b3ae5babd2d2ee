"""Where the cells of an image network stand, whatever they are made of."""

from typing import NamedTuple


class CellPlace(NamedTuple):
    """One cell of the stack.

    Attributes:
      channels: C of its nodes.
      reduction: whether it halves the resolution.
      reduction_before: whether the one before does, so that its first input is twice as high and
        wide as its second.
    """

    channels: int
    reduction: bool
    reduction_before: bool


def auxiliary_place(layers: int) -> int:
    """The cell, counted from 0, whose output the auxiliary head reads: the second reduction."""
    return 2 * layers // 3


def cell_places(
    channels: int, layers: int, *, reduction_before_first: bool = False
) -> list[CellPlace]:
    """All cells in order: the reductions are ⌊layers/3⌋ and ⌊2·layers/3⌋, counted from 0.

    Args:
      channels: C of the first cell's nodes; every reduction doubles it.
      layers: how many cells.
      reduction_before_first: whether the stem gives the first cell inputs of two resolutions.
    """
    reductions = {layers // 3, auxiliary_place(layers)}
    return [
        CellPlace(
            channels * 2 ** sum(reduction <= i for reduction in reductions),
            i in reductions,
            i - 1 in reductions if i else reduction_before_first,
        )
        for i in range(layers)
    ]


def halved(pixels: int) -> int:
    """What a stride of 2 leaves of a height or width."""
    return -(-pixels // 2)
