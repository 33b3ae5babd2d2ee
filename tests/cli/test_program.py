"""How programs end: what stopped them is one line, and their status says how."""

import signal

import pytest
import tensorflow as tf
from absl import app, flags
from absl.testing import flagsaver

from tf_darts.cli import program
from tf_darts.errors import UserError
from tf_darts.runtime.signals import Stopped


@pytest.fixture
def ended(monkeypatch, capsys):
    """A function from what a program raises or returns to its status and its error output."""

    def end(outcome):
        statuses = []

        def main(arguments):
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        def run(guarded, flags_parser):
            statuses.append(guarded(flags_parser(["tool"])))

        monkeypatch.setattr(app, "run", run)
        try:
            with flagsaver.flagsaver():
                program.run(main, "tool")
        except SystemExit as exit_:
            statuses.append(exit_.code)
        finally:
            flags.FLAGS.unparse_flags()
        return statuses[-1], capsys.readouterr().err

    return end


@pytest.mark.parametrize(
    ("outcome", "status", "said"),
    [
        (None, None, ""),
        (3, 3, ""),
        (UserError("no such thing; make one."), 2, "tool: no such thing; make one.\n"),
        (app.UsageError("too many"), 2, "tool: too many\n"),
        (
            OSError(28, "No space left on device", "/full"),
            2,
            "tool: /full: No space left on device.\n",
        ),
        (OSError(5, "Input/output error"), 2, "tool: Input/output error.\n"),
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\na tensor"),
            2,
            "tool: there is no room left (ResourceExhaustedError: OOM when allocating a tensor);"
            " where it is memory that is short, a smaller --batch_size needs less, and of"
            " images a smaller --image_size.\n",
        ),
        (Stopped(signal.SIGTERM, "Stopped after step 3."), 143, "tool: Stopped after step 3.\n"),
        (Stopped(signal.SIGINT, "Stopped after step 3."), 130, "tool: Stopped after step 3.\n"),
        (KeyboardInterrupt(), 130, "tool: interrupted.\n"),
    ],
)
def test_what_stops_a_program_is_one_line(ended, outcome, status, said):
    assert ended(outcome) == (status, said)


def test_what_nobody_foresaw_is_shown_whole(ended):
    with pytest.raises(ZeroDivisionError):
        ended(ZeroDivisionError("a fault of ours"))
