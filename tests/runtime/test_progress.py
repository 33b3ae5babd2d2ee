import io
import sys
import threading
from unittest import mock

import pytest

from tf_darts.runtime import progress as progress_module
from tf_darts.runtime.progress import Progress, _Alive

RECORD = {
    "epoch": 2,
    "step": 4,
    "train_perplexity": 200.123,
    "validation_perplexity": 150.456,
    "entropy": 1.5,
    "cell": "tanh:0 relu:1",
}
LINE = (
    "epoch 2/5  train perplexity 200.12  validation perplexity 150.46  entropy 1.5000"
    "  tanh:0 relu:1\n"
)


class Terminal(io.StringIO):
    """Something that calls itself a terminal."""

    def isatty(self):
        return True


def _look_on(monkeypatch):
    """Puts a terminal in place; not a fixture, as pytest puts its own stderr after those."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def _run(progress, start=0):
    progress.on_start(start, 10)
    for step in range(start + 1, start + 4):
        progress.on_step(step, {"train_loss": 5.0, "train_perplexity": 148.4})
    progress.on_epoch(RECORD, [RECORD])
    progress.on_end()


def test_without_a_terminal_there_is_a_line_an_epoch(capsys):
    _run(Progress("perplexity", 5))
    assert capsys.readouterr() == (LINE, "")


@pytest.fixture
def clock(monkeypatch):
    """What `Progress` takes for the time, as long as nobody else looks."""
    made = mock.Mock(now=0.0)
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: made.now)
    return made


def _step(progress, clock, numbers, seconds):
    for number in numbers:
        clock.now += seconds
        progress.on_step(number, {"train_loss": 5.0, "train_perplexity": 148.4})


@pytest.mark.parametrize(
    ("seconds", "told_at", "told"),
    [(3.0, 15, "A step takes 3 s, all of them 10 minutes."), (0.4, 31, "A step takes 0.4 s, all")],
)
def test_the_first_steps_tell_how_long_all_will_take(capsys, clock, seconds, told_at, told):
    """Four of 3 s are more than 10 s, and so are not twenty of 0.4 s; the first one compiles."""
    progress = Progress("perplexity", 5, "A: ")
    progress.on_start(10, 215)
    _step(progress, clock, [11], 30.0)
    _step(progress, clock, range(12, told_at), seconds)
    assert capsys.readouterr().out == "A: Resuming after step 10.\n"
    _step(progress, clock, range(told_at, 40), seconds)
    out = capsys.readouterr().out
    assert out.startswith(f"A: {told}") and out.count("\n") == 1


def test_another_pace_is_told_and_the_same_is_not(capsys, clock):
    """An epoch's first step compiles; what is left is foretold without it."""
    progress = Progress("perplexity", 4)
    clock.now = 5000.0  # an earlier stage's, say
    progress.on_start(0, 400)
    said = []
    for epoch, seconds in enumerate([1.0, 1.2, 4.0]):
        _step(progress, clock, [100 * epoch + 1], 60.0)
        _step(progress, clock, range(100 * epoch + 2, 100 * epoch + 101), seconds)
        said.append([line for line in capsys.readouterr().out.splitlines() if "step" in line])
        clock.now += 11.0  # evaluated
        place = {"epoch": epoch + 1, "step": 100 * epoch + 100, "seconds": clock.now}
        progress.on_epoch(RECORD | place, [])
        said.append(capsys.readouterr().out.split("  ")[0])
    assert said == [
        ["A step takes 1 s, all of them 6 minutes."],
        "epoch 1/4, 6 minutes left",
        [],
        "epoch 2/4, 4 minutes left",
        ["A step now takes 4 s, those left 13 minutes."],
        "epoch 3/4, 7 minutes left",
    ]


def test_what_is_left_counts_from_where_an_epoch_went_on(capsys, clock):
    """Half of the second epoch of four was done before; its ten steps and evaluation take 21 s."""
    progress = Progress("perplexity", 4)
    progress.on_start(30, 80)
    _step(progress, clock, range(31, 41), 1.0)
    clock.now += 11.0
    progress.on_epoch(RECORD | {"step": 40}, [])
    assert "epoch 2/4, 1 minute left  train" in capsys.readouterr().out


def test_what_is_left_of_an_epoch_that_went_on_at_its_end(capsys, clock):
    """It was killed in its evaluation: a hundred steps and that evaluation had taken 130 s."""
    progress = Progress("perplexity", 4)
    progress.on_start(200, 400)
    clock.now += 25.0
    history = [RECORD | {"epoch": n, "step": 100 * n, "seconds": 130.0 * n} for n in (1, 2)]
    progress.on_epoch(history[-1], history)
    assert "epoch 2/4, 4 minutes left  train" in capsys.readouterr().out


def test_resuming_and_rollbacks_are_told(capsys):
    progress = Progress("perplexity", 5)
    progress.on_start(40, 100)
    progress.on_rollback(20, "Diverged at step 41 (epoch 3): train_loss became infinite")
    progress.on_end()
    assert capsys.readouterr().out == (
        "Resuming after step 40.\n"
        "Diverged at step 41 (epoch 3): train_loss became infinite; back to step 20.\n"
    )


def test_on_a_terminal_there_is_a_bar_and_the_same_lines(capsys, monkeypatch):
    terminal = _look_on(monkeypatch)
    _run(Progress("perplexity", 5))
    assert capsys.readouterr().out == LINE
    assert "loss=5.000" in terminal.getvalue()
    assert "perplexity=148.4" in terminal.getvalue()


def test_the_bar_counts_the_steps_of_the_run(monkeypatch):
    _look_on(monkeypatch)
    progress = Progress("perplexity", 5)
    progress.on_start(3, 10)
    bar = progress._bar
    progress.on_step(5, {"train_loss": 5.0, "train_perplexity": 148.4})
    assert (bar.n, bar.total, bar.initial) == (5, 10, 3)
    progress.on_rollback(2, "step 6")
    assert bar.n == 2
    progress.on_step(3, {"train_loss": 5.0, "train_perplexity": 148.4})
    assert bar.n == 3
    progress.on_end()
    progress.on_end()


def test_a_terminal_sees_that_a_step_takes_long(monkeypatch):
    terminal = _look_on(monkeypatch)
    seen = threading.Event()
    said = Progress._quiet

    def quiet(progress, seconds):
        said(progress, seconds)
        seen.set()

    monkeypatch.setattr(Progress, "_quiet", quiet)
    monkeypatch.setattr(_Alive.__init__, "__defaults__", (0.01,))
    progress = Progress("perplexity", 5)
    progress.on_start(0, 10)
    assert seen.wait(10)
    assert "no step for 0 s (compiling or evaluating)" in terminal.getvalue()
    progress.on_step(1, {"train_loss": 5.0, "train_perplexity": 148.4})
    progress.on_end()
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]
