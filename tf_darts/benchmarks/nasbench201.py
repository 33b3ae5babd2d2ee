"""The table of NAS-Bench-201 (Dong, Yang, ICLR 2020): all 15,625 cells, trained by its authors.

It is not ours and comes with its authors' files: docs/nasbench201.md says how to make it.
"""

import functools
from collections.abc import Hashable, Sequence

import numpy as np

from tf_darts.benchmarks.cell_table import CellTable
from tf_darts.benchmarks.multilinear import MultilinearExtension
from tf_darts.cells.genotype import Genotype
from tf_darts.errors import UserError
from tf_darts.runtime.files import Path, shown
from tf_darts.spaces.nasbench201 import strings

WITHOUT_NONE = "without_none"


class NasBench201(CellTable):
    """The scores of NAS-Bench-201's cells, as a CSV file has them; see `CellTable`.

    Args:
      path: of the file.

    Examples:
      >>> table = NasBench201("nasbench201.csv")
      >>> table.query("all_3x3")["cifar10"], table.null("cifar10").best_of(10)
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "nasbench201")

    def percentile(self, cell: Genotype | str, score: str, among: str = "all") -> float:
        """The percentage of cells whose score is smaller.

        Args:
          cell: whose score it is.
          score: the column.
          among: of "all" cells; of those "alike", with as many 3×3 and as many 1×1 convolutions; or
            of those "without_none", on no edge of which is `none`.
        """
        return super().percentile(cell, score, among)

    def _chosen(self, among: str, key: Hashable) -> Sequence[int] | slice:
        if among == WITHOUT_NONE:
            return [row for row, text in enumerate(self.texts) if "none" not in strings.parse(text)]
        return super()._chosen(among, key)

    def quantiles(self, score: str, probabilities: Sequence[float]) -> np.ndarray:
        """The scores that so large parts of all cells do not exceed."""
        return self.null(score).quantiles(probabilities)

    def neighbours(self, cell: Genotype | str) -> list[str]:
        """The table's cells that differ in one edge's operation: 24 in the whole table."""
        architecture, found = strings.parse(self.text_of(cell)), []
        for edge, own in enumerate(architecture):
            for name in strings.OPERATIONS:
                text = strings.written((*architecture[:edge], name, *architecture[edge + 1 :]))
                if name != own and self.has(text):
                    found.append(text)
        return found

    def extension(self, score: str) -> MultilinearExtension:
        """f(m) = Σ over cells of Π m · score: the expected score of edges drawn independently.

        Raises:
          UserError: the table has not all cells.
        """
        return MultilinearExtension(self._tensor(score))

    @functools.lru_cache(maxsize=16)  # noqa: B019, a table lives as long as its process
    def _tensor(self, score: str) -> np.ndarray:
        """A column as [5, 5, 5, 5, 5, 5]: an axis for each edge, its operations in α's order."""
        if not self.complete:
            raise UserError(
                f"{shown(self.path)}: has {len(self):,} of the {self.form.cells:,} cells, and the"
                " multilinear extension is a sum over all; give a table that has all."
            )
        tensor = np.empty((len(strings.OPERATIONS),) * strings.EDGES)
        for text, value in zip(self.texts, self.column(score), strict=True):
            place = tuple(strings.OPERATIONS.index(name) for name in strings.parse(text))
            tensor[place] = value
        return tensor
