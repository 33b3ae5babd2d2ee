"""What the reports of all runs share."""

import abc
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tf_darts.errors import StateError
from tf_darts.report.hparams import session_end, session_start
from tf_darts.report.meter import Meter
from tf_darts.report.page.document import PAGE
from tf_darts.report.tables import markdown_table
from tf_darts.report.tensorboard import TensorBoardLog, events_of
from tf_darts.report.write_warnings import WriteWarnings
from tf_darts.runtime import files
from tf_darts.runtime.busy import busy
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.environment import in_rows, recorded_environment

if TYPE_CHECKING:  # it takes half a second, which no run should begin with
    from matplotlib.figure import Figure

_SHARE = 0.02  # of a run's time, that its page may take


class RunReport(Callback, abc.ABC):
    """Opens event files and `plots/` in a run directory, and keeps the log with the run's steps.

    TensorBoard is told the run's settings besides, as a table and as a session of HParams.

    What cannot be written is a warning, one for each cause: a run goes on without its pictures.

    Args:
      directory: the run directory.
      settings: the configuration, shown as text.
      baseline: name and value of a score to compare with, or None.
    """

    activity: ClassVar[str]  # "search": what goes on, in warnings
    tags: ClassVar[str]  # what those begin with that searches and trainings both have

    def __init__(
        self,
        directory: pathlib.Path,
        settings: dict[str, Any],
        baseline: tuple[str, float] | None = None,
    ) -> None:
        self._directory = directory
        self._plots = directory / "plots"
        self._events = events_of(directory)
        self._settings = settings
        self._baseline = baseline
        self._log = TensorBoardLog(self._events)
        self._warnings = WriteWarnings(self.activity)
        self._meter = Meter(settings)
        self._page_is_old = False
        self._next_page = 0.0  # when the page may be written again, by the monotonic clock

    def on_start(self, step: int, total_steps: int) -> None:
        del total_steps
        with self._warnings.writing(self._events):
            self._log.purge_from(step + 1)
        if step == 0:
            self._log.text("configuration", settings_table(self._settings), 0)
            self._log.text("environment", environment_list(self._directory), 0)
            self._log.raw(session_start(self._settings, _session_name(self._directory)), 0)

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        del metrics
        self._meter.step(step)

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        del history
        self._log.scalars(self._measured(), record["step"])

    def _measured(self) -> dict[str, float]:
        """Speed and memory since the last epoch's end."""
        return {f"{self.tags}performance/{n}": v for n, v in self._meter.read().items()}

    def on_finish(self, history: Sequence[dict[str, Any]]) -> None:
        self._log.raw(session_end(), history[-1]["step"])

    def on_rollback(self, step: int, reason: str) -> None:
        self._log.text("rollbacks", f"{reason}; back to step {step}.", step)
        with self._warnings.writing(self._events):
            self._log.flush()
            self._log.purge_from(step + 1)

    def on_checkpoint(self) -> None:
        with self._warnings.writing(self._events):
            self._log.flush()

    def on_end(self) -> None:
        if self._page_is_old or not (self._directory / PAGE).exists():
            with busy(f"Writing {PAGE}"):
                self._page()
        with self._warnings.writing(self._events):
            self._log.close()

    def _renew_page(self) -> None:
        """An epoch's record and pictures are there; the page follows where it is its turn."""
        self._page_is_old = True
        if time.monotonic() >= self._next_page:
            self._page()

    def _page(self) -> None:
        """Writes `report.html`, and sets when it may be written again."""
        start = time.monotonic()
        with self._warnings.writing(self._directory / PAGE):
            self._write_page()
        end = time.monotonic()
        self._page_is_old, self._next_page = False, end + (end - start) / _SHARE

    @abc.abstractmethod
    def _write_page(self) -> None:
        """Draws `report.html` from the run directory."""

    def _figure(self, name: str, figure: "Figure", step: int) -> None:
        """Shows a figure in TensorBoard, and in `plots/` as a PNG file; it is drawn once."""
        from tf_darts.report.plots import figure_to_png

        png = figure_to_png(figure)
        self._log.picture(name, png, step)
        self._picture(f"{name}.png", png)

    def _picture(self, name: str, content: bytes) -> None:
        """Writes a file of `plots/`."""
        file = self._plots / name
        with self._warnings.writing(file):
            with files.writing(self._plots):
                self._plots.mkdir(exist_ok=True)
            files.write_atomically(file, content)


def _session_name(run: pathlib.Path) -> str:
    """The name of a run, first what TensorBoard's narrow column shows of it, then where it is."""
    of_candidate = run.parent.parent.name == "candidates"  # in a study, search/ and train/
    parent = run.parents[1] if of_candidate else run.parent
    return f"{run.relative_to(parent)} in {parent}"


def settings_table(settings: Mapping[str, Any]) -> str:
    """Settings as a Markdown table; nested ones, which would take all its width, below it."""
    nested = {n: v for n, v in settings.items() if isinstance(v, Mapping | list | tuple)}
    rows = [{"setting": n, "value": _value(v)} for n, v in settings.items() if n not in nested]
    blocks = (f"\n{name}:\n\n```json\n{json.dumps(v)}\n```\n" for name, v in nested.items())
    return markdown_table(rows) + "".join(blocks)


def environment_list(run: pathlib.Path) -> str:
    """In what a run was last started, as a Markdown list; of old runs it is not recorded."""
    try:
        starts = recorded_environment(run)
    except StateError:  # it was begun anew with a warning
        starts = []
    rows = in_rows(starts[-1]) if starts else {"environment": "not recorded"}
    return "".join(f"- **{name}**: {text}\n" for name, text in rows.items())


def _value(value: Any) -> str:
    """As a flag takes it."""
    if value in ("", None):
        return ""
    return f"`{json.dumps(value) if isinstance(value, bool) else value}`"
