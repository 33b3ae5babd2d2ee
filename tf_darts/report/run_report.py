"""What the reports of all runs share."""

import json
import pathlib
from typing import Any

from tf_darts.report.tensorboard import TensorBoardLog
from tf_darts.runtime.observer import Observer


class RunReport(Observer):
    """Opens `tensorboard/` and `plots/` in a run directory, and keeps the log with the run's steps.

    Args:
      directory: the run directory.
      settings: the configuration, shown as text.
      baseline: name and value of a score to compare with, or None.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        settings: dict[str, Any],
        baseline: tuple[str, float] | None = None,
    ) -> None:
        self._plots = directory / "plots"
        self._plots.mkdir(exist_ok=True)
        self._settings = settings
        self._baseline = baseline
        self._log = TensorBoardLog(directory / "tensorboard")

    def on_start(self, step: int, total_steps: int) -> None:
        del total_steps
        self._log.purge_from(step + 1)
        if step == 0:
            self._log.text("configuration", json_block(self._settings), 0)

    def on_rollback(self, step: int, reason: str) -> None:
        self._log.text("rollbacks", f"Back to step {step}: {reason}.", step)
        self._log.flush()
        self._log.purge_from(step + 1)

    def on_checkpoint(self) -> None:
        self._log.flush()

    def on_end(self) -> None:
        self._log.close()


def json_block(document: Any) -> str:
    """JSON as a Markdown code block."""
    return "```json\n" + json.dumps(document, indent=2) + "\n```"
