"""A table of trained cells: lookups, and what each is worth among all."""

import functools
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tf_darts.benchmarks.null_distribution import NullDistribution
from tf_darts.benchmarks.table_file import read_table
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.published import published_cells
from tf_darts.cells.space import find_space
from tf_darts.config.table import check_has_tables
from tf_darts.errors import UserError
from tf_darts.runtime.files import Path, shown

ALL, ALIKE = "all", "alike"
# A column of scores after fewer epochs than the others, such as cifar10_valid_12_epochs.
_SHORT = re.compile(r"(?P<score>.+?)(_valid)?_(?P<epochs>[0-9]{1,6})_epochs")


class Judgement(NamedTuple):
    """A cell's score in one column, among the cells of the table.

    Attributes:
      score: the column.
      value: what stands there.
      percentile: the percentage of all cells whose score is smaller.
      percentile_alike: the same among the cells that are alike (`TableForm.alike`).
      alike: how many these are, the cell itself among them.
      p: the probability that a random cell has this score or a larger one.
    """

    score: str
    value: float
    percentile: float
    percentile_alike: float
    alike: int
    p: float


class CellTable:
    """The scores of trained cells, larger being better, as a CSV file has them.

    A cell is given as a `Genotype`, as the table's text, or by a published name.

    Args:
      path: of the file: a column `architecture` and columns of scores.
      space: the name of the cells' space.

    Attributes:
      path: of the file, as it was given.
      space: the name of the cells' space.
      form: how the space's cells are written in tables.
      columns: the names of the scores.
      digest: SHA-256 of the file.

    Raises:
      UserError: there are no tables of this space, or the file is none: one sentence, see
        `read_table`.
    """

    def __init__(self, path: Path, space: str) -> None:
        check_has_tables(space)
        file = read_table(path)
        self.path, self.space = str(path), space
        self.form = find_space(space).table
        self.columns, self.digest = file.columns, file.digest
        self._scores = file.scores
        self._rows: dict[str, int] = {}
        for row, (text, line) in enumerate(zip(file.texts, file.lines, strict=True)):
            try:
                normal = self.form.read(text)
            except UserError as error:
                raise UserError(f"{shown(path)}, line {line}: {error}") from error
            if normal in self._rows:
                raise UserError(
                    f"{shown(path)}, line {line}: the cell {shown(text)} is on line"
                    f" {file.lines[self._rows[normal]]} already; take one of them out."
                )
            self._rows[normal] = row

    def __len__(self) -> int:
        """How many cells the table has."""
        return len(self._rows)

    @property
    def complete(self) -> bool:
        """Whether it has every cell of the space."""
        return len(self) == self.form.cells

    @property
    def texts(self) -> tuple[str, ...]:
        """The cells as the table's texts, in the order of the file."""
        return tuple(self._rows)

    @property
    def full_columns(self) -> tuple[str, ...]:
        """The columns but those of scores after few epochs, named …_12_epochs or the like."""
        return tuple(name for name in self.columns if not _SHORT.fullmatch(name)) or self.columns

    def short_column(self, score: str) -> str | None:
        """The column of a score after the fewest epochs; None where there is none."""
        matches = [match for name in self.columns if (match := _SHORT.fullmatch(name))]
        own = [match for match in matches if match["score"] == score]
        return min(own, key=lambda match: int(match["epochs"]))[0] if own else None

    def text_of(self, cell: Genotype | str) -> str:
        """A cell as the table's text; raises `UserError` where it is none of the space."""
        if isinstance(cell, str):
            cell = published_cells(self.space).get(cell, cell)
        if isinstance(cell, str):
            return self.form.read(cell)
        if cell.space != self.space:
            raise UserError(
                f"{shown(self.path)}: is a table of {self.space} cells, and this is a {cell.space}"
                f" one; look {self.space} ones up."
            )
        return self.form.written(cell.to_dict())

    def has(self, cell: Genotype | str) -> bool:
        """Whether the table has a cell."""
        return self.text_of(cell) in self._rows

    def query(self, cell: Genotype | str) -> dict[str, float]:
        """A cell's scores by column; raises `UserError` where the table has it not."""
        return dict(zip(self.columns, map(float, self._scores[self._row(cell)]), strict=True))

    def scores_of(self, cell: Genotype | str) -> dict[str, float]:
        """A cell's scores by column; {} where the table has it not."""
        return self.query(cell) if self.has(cell) else {}

    def column(self, score: str) -> np.ndarray:
        """A column's scores, in the order of `texts`; raises `UserError` where there is none."""
        if score not in self.columns:
            raise UserError(
                f"{shown(self.path)}: has no column {shown(score)}; use one of"
                f" {', '.join(self.columns)}."
            )
        return self._scores[:, self.columns.index(score)]

    def null(self, score: str, among: str = ALL, cell: Genotype | str = "") -> NullDistribution:
        """The exact distribution of a score among random cells.

        Args:
          score: the column.
          among: of which cells; "all", or "alike": those that share with `cell` what
            `TableForm.alike` says.
          cell: of "alike".
        """
        key = self.form.alike(self.text_of(cell)) if among == ALIKE else None
        return self._null(score, among, key)

    @functools.lru_cache(maxsize=512)  # noqa: B019, a table lives as long as its process
    def _null(self, score: str, among: str, key: Hashable) -> NullDistribution:
        return NullDistribution(self.column(score)[self._chosen(among, key)])

    def _chosen(self, among: str, key: Hashable) -> Sequence[int] | slice:
        """The rows of a kind of cells."""
        if among not in (ALL, ALIKE):
            raise ValueError(f"among={among!r} is no kind of cells")
        return slice(None) if among == ALL else self._alike.get(key, [])

    @functools.cached_property
    def _alike(self) -> dict[Hashable, list[int]]:
        """By what cells share, their rows."""
        rows: dict[Hashable, list[int]] = {}
        for text, row in self._rows.items():
            rows.setdefault(self.form.alike(text), []).append(row)
        return rows

    def percentile(self, cell: Genotype | str, score: str, among: str = ALL) -> float:
        """The percentage of the cells of a kind (see `null`) whose score is smaller."""
        return self.null(score, among, cell).percentile(self.query(cell)[score])

    def judge(self, cell: Genotype | str) -> tuple[Judgement, ...]:
        """What a cell's scores are worth, by column; raises `UserError` as `query`."""
        judgements = []
        for score, value in self.query(cell).items():
            everyone, alike = self.null(score), self.null(score, ALIKE, cell)
            places = everyone.percentile(value), alike.percentile(value)
            judgements.append(Judgement(score, value, *places, alike.size, everyone.p(value)))
        return tuple(judgements)

    def references(self, draws: Sequence[int]) -> dict[str, dict[str, float]]:
        """What stands beside every result: by name, scores by column.

        These are the expected best of so many random cells, published cells that need no search
        (those that the table has), and the largest scores.
        """
        scores = {}
        for n in draws:
            name = "random" if n == 1 else f"best of {n} random"
            scores[name] = {score: self.null(score).best_of(n)[0] for score in self.columns}
        for name in self.form.references:
            if self.has(name):
                scores[name] = self.query(name)
        scores["optimum"] = {score: float(self.column(score).max()) for score in self.columns}
        return scores

    def collapse(self) -> Mapping[str, float]:
        """The scores of the cell that failed searches end in; {} where there is none."""
        return self.scores_of(self.form.collapse) if self.form.collapse else {}

    def _row(self, cell: Genotype | str) -> int:
        text = self.text_of(cell)
        if text not in self._rows:
            raise UserError(
                f"{shown(self.path)}: has no cell {shown(text)}; give a table that has all"
                f" {self.form.cells:,} cells of the space {self.space}."
            )
        return self._rows[text]
