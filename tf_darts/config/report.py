"""The settings of a report over runs."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.config.setting import setting
from tf_darts.config.table import table_setting
from tf_darts.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Which runs, and where the report goes; all else stands in the runs' directories."""

    purpose: ClassVar[str] = "reports"

    mode: str = setting(
        "report", "The mode says what the program does.", group="run", choices=("report",)
    )
    run_dir: str = setting(
        "",
        "The report is about the runs in these directories, several joined by commas.",
        group="run",
        operational=True,
    )
    report_dir: str = setting(
        "runs/report",
        "The report is written into this directory.",
        group="report",
        operational=True,
    )
    reference: str = setting(
        "random", "The report compares all other sources of cells with this one.", group="report"
    )
    table: str = table_setting()

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        """The configuration, checked; arguments as of `RunConfig.validated`."""
        del overrides, preset
        if not self.run_dirs:
            raise UserError(
                "no --run_dir given; --mode=report needs the directories of one or several runs:"
                " --run_dir=A,B."
            )
        if not self.report_dir:
            raise UserError("--report_dir is empty; give a directory, or leave it out.")
        return self

    @property
    def run_dirs(self) -> list[str]:
        """The directories of the runs."""
        return [path.strip() for path in self.run_dir.split(",") if path.strip()]
