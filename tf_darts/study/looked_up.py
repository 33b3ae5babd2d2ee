"""Cells that are looked up in a table in place of being trained (`--table`)."""

import re
import signal
from typing import Any

from tf_darts.benchmarks import CellTable
from tf_darts.cells.genotype import Genotype
from tf_darts.config.study import BlackBoxConfig, LookedUpConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.runtime.files import shown
from tf_darts.runtime.signals import Stopped, StopRequest
from tf_darts.study.train_candidate import CellScore


class TableScores:
    """Scores of cells in a table: what stands for `trained_score` in a study that has one.

    Args:
      config: of the study.
      training: of its candidates; one of fewer epochs, as Hyperband has them, is looked up in the
        column of fewest epochs, whatever its own number is.

    Attributes:
      table: the table.
      column: the one by which the study ranks.
      settings: what of the table decides the study's results.

    Raises:
      UserError: the table cannot be read, or lacks a column that the study needs.
    """

    def __init__(self, config: LookedUpConfig, training: TrainingConfig) -> None:
        self.table = CellTable(config.table, training.space)
        self.column = config.table_score or _column_of(config.dataset)
        if self.column not in self.table.columns:
            flag_text = f"--table_score={shown(config.table_score)}: " if config.table_score else ""
            raise UserError(
                f"{flag_text}{shown(config.table)} has no column {shown(self.column)}; give"
                f" --table_score={'|'.join(self.table.columns)}."
            )
        self._epochs, self._short = training.epochs, self.table.short_column(self.column)
        hyperband = isinstance(config, BlackBoxConfig) and config.tuner == "hyperband"
        if hyperband and self._short is None:
            raise UserError(
                f"--tuner=hyperband tries cells for few epochs first, and {shown(config.table)} has"
                f" no column {self.column}_valid_12_epochs or the like; give a table with one, or"
                " another --tuner."
            )
        self.settings: dict[str, Any] = {"table": self.table.digest, "table_score": self.column}

    def __call__(
        self, training: TrainingConfig, cell: Genotype, stop: StopRequest, label: str
    ) -> CellScore:
        """The score of a cell.

        Raises:
          UserError: the table has it not.
          Stopped: `stop` was set.
        """
        del label
        if stop:  # nobody else asks, where nothing is trained
            raise Stopped(
                stop.signal_number or signal.SIGTERM,
                "Stopped between two candidates; the same command goes on from there.",
            )
        scores = self.table.query(cell)
        column = self._short if training.epochs < self._epochs else self.column
        return CellScore(scores[column], None, table=scores)


def table_scores(config: Any, training: TrainingConfig) -> TableScores | None:
    """The table of a study, whose settings may name one; None where it trains its cells."""
    named = isinstance(config, LookedUpConfig) and config.table
    return TableScores(config, training) if named else None


def _column_of(dataset: str) -> str:
    """The column that a data set's name stands for, whatever its configuration and version."""
    return re.sub(r"\W", "_", re.split("[/:]", dataset)[0].lower())
