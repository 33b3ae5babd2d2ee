"""The published cells (docs/method.md section 7), by space and name."""

import functools
from collections.abc import Iterator, Mapping

from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.cells.space import resolved, spaces


def published_cells(space: str) -> Mapping[str, Genotype]:
    """The published cells of a space by name; none of a space that has none, or is not there."""
    return _made(space) if space in spaces() else {}


@functools.cache
def _made(space: str) -> Mapping[str, Genotype]:
    cells = resolved(spaces()[space].published)
    return {name: genotype_class(space).from_dict(cell) for name, cell in cells.items()}


class _Published(Mapping[str, Mapping[str, Genotype]]):
    """By space, of those that have some; made when they are asked for."""

    def __getitem__(self, space: str) -> Mapping[str, Genotype]:
        if not published_cells(space):
            raise KeyError(space)
        return published_cells(space)

    def __iter__(self) -> Iterator[str]:
        return (space for space in spaces() if published_cells(space))

    def __len__(self) -> int:
        return sum(1 for _ in self)


PUBLISHED: Mapping[str, Mapping[str, Genotype]] = _Published()
