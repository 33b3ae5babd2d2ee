"""A progress bar on a terminal, one line for each epoch everywhere."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import tqdm

from tf_darts.runtime.callback import Callback
from tf_darts.runtime.console import say

# What stands in an epoch's line where a record says that it is so.
_NOTES = {"averaged": "(averaged weights)"}
_WORTH_SAYING = 60.0  # seconds that a run takes
# A pace is taken of so many steps, or of as many as so many seconds have: texts' steps are of other
# lengths each.
_PACE_STEPS, _PACE_SECONDS = 20, 10.0
_ANOTHER_PACE = 1.5  # times as fast or as slow: worth saying again


class Progress(Callback):
    """Shows a bar with the time left, loss and score while a terminal looks on.

    Args:
      score: the score's name: steps have `train_{score}`, records `validation_{score}` too.
      epochs: how many epochs there are in all.
      label: what every line begins with.
    """

    def __init__(self, score: str, epochs: int, label: str = "") -> None:
        self._score = score
        self._epochs = epochs
        self._label = label
        self._bar: tqdm.tqdm | None = None
        self._alive: _Alive | None = None
        self._total = 0
        self._began = (0, 0.0)  # the step at which an epoch began, or went on, and when
        # The first step of an epoch, and when it was done; then none until the next epoch.
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)  # the step that was done last, and when
        self._has_pace = False
        self._told: float | None = None  # seconds a step, as it was said last

    def on_start(self, step: int, total_steps: int) -> None:
        if step:
            say(f"{self._label}Resuming after step {step}.")
        self._total = total_steps
        self._begin(step)
        if sys.stderr.isatty():
            self._alive = _Alive(self._quiet)
            self._bar = tqdm.tqdm(
                total=total_steps, initial=step, unit="step", dynamic_ncols=True, file=sys.stderr
            )

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        self._last = step, time.monotonic()
        if self._first is None:
            self._first = self._last
        if self._bar is None or self._alive is None:
            self._tell_speed()
            return
        self._alive.moved()
        with contextlib.suppress(OSError):  # the terminal is gone, the run is not
            self._bar.set_description_str("", refresh=False)
            self._bar.update(step - self._bar.n)
            self._bar.set_postfix(
                loss=f"{metrics['train_loss']:.3f}",
                **{self._score: f"{metrics[f'train_{self._score}']:.1f}"},
            )

    def _quiet(self, seconds: int) -> None:
        """No step has ended for some seconds: something is compiled, or evaluated, or derived."""
        with contextlib.suppress(OSError):
            if self._bar is not None:
                self._bar.set_description_str(f"no step for {seconds} s (compiling or evaluating)")

    def _tell_speed(self) -> None:
        """Says early in a run, where no bar does, how long all other steps will take.

        And again in an epoch whose steps are much slower, or faster, as where α begins to move.
        """
        steps, passed = self._since_first()
        if self._has_pace or steps <= 0 or (steps < _PACE_STEPS and passed < _PACE_SECONDS):
            return
        self._has_pace = True
        seconds = passed / steps
        left = seconds * (self._total - self._last[0])
        again = self._told is not None
        if again and 1 / _ANOTHER_PACE < seconds / self._told < _ANOTHER_PACE:
            return
        if left > _WORTH_SAYING:
            self._told = seconds
            takes, others = ("now takes", "those left") if again else ("takes", "all of them")
            say(f"{self._label}A step {takes} {seconds:.2g} s, {others} {_duration(left)}.")

    def _since_first(self) -> tuple[int, float]:
        """The steps after an epoch's first one, which may compile, and their seconds."""
        first, then = self._first or self._last
        return self._last[0] - first, self._last[1] - then

    def _begin(self, step: int) -> None:
        """An epoch begins after that step, or goes on."""
        self._began = self._last = step, time.monotonic()
        self._first, self._has_pace = None, False

    def _left(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> float:
        """Seconds to the end, if all epochs are as this one: so many steps, and an evaluation.

        The first step, which may compile, does not count. Where an epoch went on at its end, the
        record tells how long it took before.
        """
        step, (steps, passed) = record["step"], self._since_first()
        if steps:
            evaluation = time.monotonic() - self._last[1]
            epochs = self._epochs - record["epoch"]
            return passed / steps * (self._total - step) + evaluation * epochs
        before = history[-2] if len(history) > 1 else None
        if before is not None and step > before["step"]:
            seconds = record["seconds"] - before["seconds"]
            return seconds / (step - before["step"]) * (self._total - step)
        first, then = self._began
        return (time.monotonic() - then) / max(1, step - first) * (self._total - step)

    def on_rollback(self, step: int, reason: str) -> None:
        self._begin(step)
        self._line(f"{reason}; back to step {step}.")
        if self._bar is not None:
            self._bar.n = step

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        left = self._left(record, history)
        self._begin(record["step"])
        parts = [f"epoch {record['epoch']}/{self._epochs}"]
        parts[0] += f", {_duration(left)} left" if left > _WORTH_SAYING else ""
        for stream in ("train", "validation"):
            value = record.get(f"{stream}_{self._score}")
            parts += [] if value is None else [f"{stream} {self._score} {value:.2f}"]
        parts += [f"entropy {record['entropy']:.4f}"] if "entropy" in record else []
        parts += [note for name, note in _NOTES.items() if record.get(name) is True]
        parts += [record["cell"]] if "cell" in record else []
        self._line("  ".join(parts))

    def on_end(self) -> None:
        if self._alive is not None:
            self._alive.close()
            self._alive = None
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.close()
            self._bar = None

    def _line(self, text: str) -> None:
        """Prints a line without tearing the bar."""
        with contextlib.suppress(OSError):
            if self._bar is not None:
                self._bar.clear()
            say(f"{self._label}{text}")
            if self._bar is not None:
                self._bar.refresh()


class _Alive:
    """Says, every few seconds in which nothing moves, for how long nothing has moved.

    Args:
      quiet: called from a thread of its own, with the whole seconds.
      every: seconds between two calls.
    """

    def __init__(self, quiet: Callable[[int], None], every: float = 2.0) -> None:
        self._quiet, self._every = quiet, every
        self._moved = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._thread.start()

    def moved(self) -> None:
        """Something happens."""
        self._moved = time.monotonic()

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(self._every):
            seconds = time.monotonic() - self._moved
            if seconds >= self._every:
                self._quiet(int(seconds))


def _duration(seconds: float) -> str:
    """As people say it: "1 minute", "12 minutes", "3.5 hours"."""
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{seconds / 3600:.1f} hours"
