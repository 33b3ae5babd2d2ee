"""Searches that follow one another as one run, as a rule says (`EpochRule.stages`).

A stage is a whole search in a run directory of its own, `stages/1`, `stages/2`, …; the last one is
in the run's own directory. `stages.json` says the settings and cells of all that have begun: it is
written when the one before has its result, so a run that was killed goes on in the stage where it
was, and a stage does not know that it is one.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Self

from tf_darts.bilevel.part_checks import asking
from tf_darts.cells.topology import CellTopology
from tf_darts.config.search import SearchConfig
from tf_darts.errors import StateError
from tf_darts.runtime import files
from tf_darts.runtime.run_directory import RunDirectory

FILE = "stages.json"


@dataclasses.dataclass(frozen=True)
class Stage:
    """Where a run stands in its stages.

    Attributes:
      whole: the run's configuration.
      cells: the topology of each kind of cell of the stages that have begun.
      seconds: of the whole run before each of them.
    """

    whole: SearchConfig
    cells: tuple[Mapping[str, CellTopology], ...]
    seconds: tuple[float, ...] = (0.0,)

    @classmethod
    def of(cls, config: SearchConfig) -> Self:
        """The stage in which the run of a configuration is, or its first.

        Raises:
          StateError: the file that says so is broken.
        """
        file = pathlib.Path(config.run_dir).expanduser() / FILE
        if config.staging is None or not files.exists(file):
            return cls(config, (config.cells,))
        advice = "restore it from a copy, or give another --run_dir to begin again"
        document = files.read_json(file, advice)
        try:
            cells = tuple(
                {kind: CellTopology.from_config(cell) for kind, cell in stage["cells"].items()}
                for stage in document["stages"]
            )
            seconds = tuple(float(stage["seconds_before"]) for stage in document["stages"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(f"{file}: is not the stages of a search; {advice}.") from error
        if not 0 < len(cells) <= config.staging.stages():
            raise StateError(f"{file}: has {len(cells)} stages; {advice}.")
        return cls(config, cells, seconds)

    @property
    def number(self) -> int:
        """Of the stage, from 1."""
        return len(self.cells)

    @property
    def is_last(self) -> bool:
        """Whether the run ends with it."""
        return self.whole.staging is None or self.number == self.whole.staging.stages()

    @property
    def label(self) -> str:
        """What the lines of its progress begin with."""
        rule = self.whole.staging
        return "" if rule is None else f"stage {self.number}/{rule.stages()}: "

    @property
    def config(self) -> SearchConfig:
        """The stage's own configuration."""
        rule = self.whole.staging
        if rule is None:
            return self.whole
        settings = dict(rule.settings_of_stage(self.number - 1))
        if not self.is_last:
            settings["run_dir"] = str(
                pathlib.Path(self.whole.run_dir) / "stages" / str(self.number)
            )
        return dataclasses.replace(self.whole, **settings)

    @property
    def settings(self) -> dict[str, Any]:
        """What of the stage is no setting, and decides its results all the same."""
        return {"cells": {kind: cell.get_config() for kind, cell in self.cells[-1].items()}}

    def after(self, record: Mapping[str, Any], seconds: float) -> Self:
        """The stage that follows.

        Args:
          record: of the epoch that is this one's result.
          seconds: that the run took until its end.
        """
        rule = self.whole.staging
        with asking(rule, "cells_of_stage"):
            cells = rule.cells_of_stage(self.number, record, self.cells[-1])
        return dataclasses.replace(
            self, cells=(*self.cells, cells), seconds=(*self.seconds, seconds)
        )

    def write(self, run: RunDirectory) -> None:
        """Keeps where the run stands in its directory."""
        rule, stages = self.whole.staging, []
        for number, (cells, seconds) in enumerate(zip(self.cells, self.seconds, strict=True)):
            stages.append(
                {
                    "settings": dict(rule.settings_of_stage(number)),
                    "seconds_before": seconds,
                    "cells": {kind: cell.get_config() for kind, cell in cells.items()},
                }
            )
        run.write_json(FILE, {"stages": stages})
