"""What the reports of all runs share."""

import json
import pathlib
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from matplotlib.figure import Figure

from tf_darts.report.page.document import PAGE
from tf_darts.report.plots import save_figure
from tf_darts.report.tensorboard import TensorBoardLog
from tf_darts.report.write_warnings import WriteWarnings
from tf_darts.runtime import files
from tf_darts.runtime.callback import Callback

_SHARE = 0.02  # of a run's time, that its page may take


class RunReport(Callback):
    """Opens `tensorboard/` and `plots/` in a run directory, and keeps the log with the run's steps.

    What cannot be written is a warning, one for each cause: a run goes on without its pictures.

    Args:
      directory: the run directory.
      settings: the configuration, shown as text.
      baseline: name and value of a score to compare with, or None.
    """

    activity: ClassVar[str]  # "search": what goes on, in warnings

    def __init__(
        self,
        directory: pathlib.Path,
        settings: dict[str, Any],
        baseline: tuple[str, float] | None = None,
    ) -> None:
        self._directory = directory
        self._plots = directory / "plots"
        self._events = directory / "tensorboard"
        self._settings = settings
        self._baseline = baseline
        self._log = TensorBoardLog(self._events)
        self._warnings = WriteWarnings(self.activity)
        self._page_is_old = False
        self._next_page = 0.0  # when the page may be written again, by the monotonic clock

    def on_start(self, step: int, total_steps: int) -> None:
        del total_steps
        with self._warnings.writing(self._events):
            self._log.purge_from(step + 1)
        if step == 0:
            self._log.text("configuration", json_block(self._settings), 0)

    def on_rollback(self, step: int, reason: str) -> None:
        self._log.text("rollbacks", f"{reason}; back to step {step}.", step)
        with self._warnings.writing(self._events):
            self._log.flush()
            self._log.purge_from(step + 1)

    def on_checkpoint(self) -> None:
        with self._warnings.writing(self._events):
            self._log.flush()

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        del record, history
        self._page_is_old = True
        if time.monotonic() >= self._next_page:
            self._page()

    def on_end(self) -> None:
        if self._page_is_old or not (self._directory / PAGE).exists():
            self._page()
        with self._warnings.writing(self._events):
            self._log.close()

    def _page(self) -> None:
        """Writes `report.html`, and sets when it may be written again."""
        start = time.monotonic()
        with self._warnings.writing(self._directory / PAGE):
            self._write_page()
        end = time.monotonic()
        self._page_is_old, self._next_page = False, end + (end - start) / _SHARE

    def _write_page(self) -> None:
        """Draws `report.html` from the run directory."""
        raise NotImplementedError

    def _picture(self, name: str, picture: Figure | bytes) -> None:
        """Writes a file of `plots/`: a figure, or the content of one."""
        file = self._plots / name
        with self._warnings.writing(file):
            with files.writing(self._plots):
                self._plots.mkdir(exist_ok=True)
            if isinstance(picture, bytes):
                files.write_atomically(file, picture)
            else:
                save_figure(picture, file)


def json_block(document: Any) -> str:
    """JSON as a Markdown code block."""
    return "```json\n" + json.dumps(document, indent=2) + "\n```"
