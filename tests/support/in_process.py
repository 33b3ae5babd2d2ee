"""Programs of this project in the test's own process, which has imported TensorFlow already.

What a program answers to is the same as in a process of its own: its file is run as the main module
with these arguments, up to the exit status. Only `absl.app.run` is left out, which may be called
once in a process; for each program a test remains that starts a real one.
"""

import contextlib
import io
import pathlib
import runpy
import signal
import sys
import warnings
from unittest import mock

import pytest
import tensorflow as tf
from absl import app, flags
from absl.testing import flagsaver

from tests.support.paths import ROOT
from tests.support.registries import forget_members

MAIN = "tf_darts/main.py"


def after_the_device(out):
    """What a run says without its first line, which says on what it computes."""
    return "".join(
        line for line in out.splitlines(keepends=True) if not line.startswith("It computes on ")
    )


def run(program, *arguments, eagerly=False, cwd=ROOT):
    """Runs a program of the checkout; returns its exit status, output and error output.

    Args:
      program: its file, below the checkout.
      arguments: what follows it on a command line.
      eagerly: without compiling functions, which takes longer than a few toy steps of them.
      cwd: the folder in which it is run.
    """
    out, err = io.StringIO(), io.StringIO()
    path, before = [*sys.path], signal.getsignal(signal.SIGINT)
    file = str(ROOT / program)
    with (
        _own_members(),
        _optional_flags(),
        flagsaver.flagsaver(),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", [file, *map(str, arguments)]),
        mock.patch.object(app, "run", _run),
        warnings.catch_warnings(),
    ):
        if eagerly:  # input pipelines are compiled all the same, as TensorFlow says
            warnings.filterwarnings("ignore", "Even though the `tf.config", UserWarning)
        sys.path.insert(0, str(pathlib.Path(file).parent))  # as Python does
        tf.config.run_functions_eagerly(eagerly)
        try:
            runpy.run_path(file, run_name="__main__")
            status = 0
        except SystemExit as end:
            status = end.code or 0
        finally:
            tf.config.run_functions_eagerly(False)
            sys.path[:] = path
            signal.signal(signal.SIGINT, before)
    flags.FLAGS.unparse_flags()
    return status, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def _own_members():
    """What `--load` registers is there for the one program."""
    modules = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        forget_members(patch)
        yield
    for name in set(sys.modules) - modules:
        if name.startswith("tf_darts_members."):
            del sys.modules[name]


@contextlib.contextmanager
def _optional_flags():
    """What other tests have imported may have flags that its program cannot do without."""
    before = {flag: flag.validators for flag in (flags.FLAGS[name] for name in flags.FLAGS)}
    for flag in before:
        flag.validators = []
    try:
        yield
    finally:
        for flag, validators in before.items():
            flag.validators = validators


def _run(main, flags_parser):
    """What `absl.app.run` does with flags and the exit status."""
    sys.exit(main(flags_parser(sys.argv)))


def sentence(err, name):
    """The one line that a program says of what is wrong, without its name."""
    (line,) = [line for line in err.splitlines() if line.startswith(f"{name}: ")]
    assert "Traceback" not in err
    return line
