"""The command line: `python -m tf_darts.main --mode=search --dataset=ptb`.

Every setting is a flag (`--help` lists them); `--flagfile=flags/NAME.flags` reads them from a file.
A run lives in its `--run_dir`, and the same command goes on with it where it was stopped.
"""

import os
import pathlib
import shutil
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow: hides its start-up chatter

import tensorflow as tf
from absl import app, flags, logging

from tf_darts import command_line, genotype
from tf_darts.config import SearchConfig, computed_settings
from tf_darts.errors import UserError
from tf_darts.report.search_report import SearchReport
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.progress import Progress
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import Stopped, graceful_stop
from tf_darts.search.engine import SearchEngine
from tf_darts.tasks import search_task


def search(config: SearchConfig) -> None:
    """`--mode=search`: looks for a cell and leaves it in the run directory."""
    task = search_task(config)
    settings = computed_settings(config)
    run = RunDirectory(config.run_dir, settings)
    observers = [
        Progress(task.supernet.score, config.epochs),
        SearchReport(run.path, task.supernet, settings, task.baseline),
    ]
    with graceful_stop() as stop:
        engine = SearchEngine(config, task.supernet, task.data, run, observers)
        last = engine.search(stop)[-1]
    score, (baseline, value) = task.supernet.score, task.baseline
    print(
        f"Found after {last['epoch']} epochs and {last['seconds'] / 60:.1f} minutes:"
        f" {genotype.load(run.path / 'genotype.json')}\n"
        f"The supernet's validation {score} is {last[f'validation_{score}']:.2f}; on batches, in"
        f" training mode, {last[f'validation_batch_{score}']:.2f} ({baseline}: {value:.2f}).\n"
        f"Cell: {run.path / 'genotype.json'}   pictures: {run.path / 'plots'}\n"
        f"TensorBoard: {_tensorboard()} --logdir={run.path / 'tensorboard'}"
    )


def _tensorboard() -> str:
    """A command that works in the shell that started this: its PATH need not have our Python's."""
    beside = pathlib.Path(sys.executable).with_name("tensorboard")
    found = shutil.which("tensorboard") or not beside.exists()
    if found:
        return "tensorboard"
    here = pathlib.Path.cwd()
    return str(beside.relative_to(here) if beside.is_relative_to(here) else beside)


MODES = {"search": search}


def main(arguments: list[str]) -> int:
    """Runs the mode that the flags ask for; returns the exit status."""
    try:
        if len(arguments) > 1:
            raise UserError(f"{arguments[1]!r} is not a flag; write --NAME=VALUE.")
        config = command_line.config_from_flags()
        set_precision(config.precision)
        if config.deterministic:
            tf.config.experimental.enable_op_determinism()
        MODES[config.mode](config)
    except UserError as error:
        print(f"tf_darts: {error}", file=sys.stderr)
        return 2
    except Stopped as stopped:
        print(f"tf_darts: {stopped}", file=sys.stderr)
        return 128 + stopped.signal_number
    return 0


if __name__ == "__main__":
    command_line.define_flags()
    flags.adopt_module_key_flags(command_line)  # so that --help lists them
    # Left to itself, absl shows TensorFlow's INFO lines too; --verbosity=0 brings them back.
    flags.FLAGS.verbosity = logging.WARNING
    app.run(main)
