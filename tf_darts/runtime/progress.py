"""A progress bar on a terminal, one line for each epoch everywhere."""

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import tqdm

from tf_darts.runtime.callback import Callback
from tf_darts.runtime.console import say

# What stands in an epoch's line where a record says that it is so.
_NOTES = {"averaged": "(averaged weights)"}


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

    def on_start(self, step: int, total_steps: int) -> None:
        if step:
            say(f"{self._label}Resuming after step {step}.")
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(
                total=total_steps, initial=step, unit="step", dynamic_ncols=True, file=sys.stderr
            )

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        if self._bar is None:
            return
        with contextlib.suppress(OSError):  # the terminal is gone, the run is not
            self._bar.update(step - self._bar.n)
            self._bar.set_postfix(
                loss=f"{metrics['train_loss']:.3f}",
                **{self._score: f"{metrics[f'train_{self._score}']:.1f}"},
            )

    def on_rollback(self, step: int, reason: str) -> None:
        self._line(f"{reason}; back to step {step}.")
        if self._bar is not None:
            self._bar.n = step

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        del history
        parts = [f"epoch {record['epoch']}/{self._epochs}"]
        for stream in ("train", "validation"):
            value = record.get(f"{stream}_{self._score}")
            parts += [] if value is None else [f"{stream} {self._score} {value:.2f}"]
        parts += [f"entropy {record['entropy']:.4f}"] if "entropy" in record else []
        parts += [note for name, note in _NOTES.items() if record.get(name) is True]
        parts += [record["cell"]] if "cell" in record else []
        self._line("  ".join(parts))

    def on_end(self) -> None:
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
