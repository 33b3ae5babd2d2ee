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
from tf_darts.config import PRESETS, TFDS_PRESETS, computed_settings
from tf_darts.configuration.export import ExportConfig
from tf_darts.configuration.search import SearchConfig
from tf_darts.configuration.testing import RunTestConfig
from tf_darts.configuration.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.export.versions import next_version
from tf_darts.export_tasks import FORMATS, export_task
from tf_darts.report.search_report import SearchReport
from tf_darts.report.training_report import TrainingReport
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.progress import Progress
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import Stopped, graceful_stop
from tf_darts.search.engine import SearchEngine
from tf_darts.tasks import search_task
from tf_darts.training.engine import TrainingEngine
from tf_darts.training.kept_data import keep_data
from tf_darts.training.testing import FinishedTraining
from tf_darts.training_tasks import find_cell, test_task, training_task


def search(config: SearchConfig) -> None:
    """`--mode=search`: looks for a cell and leaves it in the run directory."""
    _set_arithmetic(config)
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


def train(config: TrainingConfig) -> None:
    """`--mode=train`: trains a network of a derived cell from random weights."""
    cell = find_cell(config)
    _set_arithmetic(config)
    task = training_task(config, cell)
    settings = computed_settings(config) | {"cell": cell.to_dict()}
    run = RunDirectory(config.run_dir, settings)
    genotype.save(run.path / "genotype.json", cell, {"mode": "train", "given": config.genotype})
    keep_data(run, task.data)
    counts = task.network.counts()
    print("The network has " + " and ".join(f"{n:,} {name}" for name, n in counts.items()) + ".")
    score = task.network.score
    observers = [
        Progress(score, config.epochs),
        TrainingReport(run.path, task.network, cell, settings, task.baseline),
    ]
    with graceful_stop() as stop:
        result = TrainingEngine(config, task.network, task.data, run, observers).train(stop)
    if task.data.validates:
        baseline, value = task.baseline
        print(
            f"The best of {config.epochs} epochs is {result['epoch']}: validation {score}"
            f" {result[f'validation_{score}']:.2f} ({baseline}: {value:.2f})."
        )
    print(
        f"Run: {run.path}   pictures: {run.path / 'plots'}\n"
        f"TensorBoard: {_tensorboard()} --logdir={run.path / 'tensorboard'}\n"
        f"Test it, once: python -m tf_darts.main --mode=test --run_dir={run.path}"
    )


def test(config: RunTestConfig) -> None:
    """`--mode=test`: the test score of a finished training, taken once and kept."""
    training = FinishedTraining.open(config.run_dir)
    if training.tested is None:
        dataset = training.settings["dataset"]
        preset = PRESETS.get(("train", dataset), TFDS_PRESETS["train"])
        trained = training.config(type(preset), data_dir=config.data_dir)
        _set_arithmetic(trained)
        cell = genotype.SPACES[trained.space].from_dict(training.settings["cell"])
        task = test_task(trained, cell)
        training.test(task)
    found = training.tested
    baseline = (
        f" ({found['baseline']}: {found['baseline_value']:.2f})" if "baseline" in found else ""
    )
    scores = ", ".join(f"{name} {value:.2f}" for name, value in found["scores"].items())
    print(f"Test of {training.run.path}: {scores}{baseline}.")
    if "unaveraged" in found:
        scores = ", ".join(f"{name} {value:.2f}" for name, value in found["unaveraged"].items())
        print(f"With the last weights in place of their average: {scores}.")


def export(config: ExportConfig) -> None:
    """`--mode=export`: the network of a finished training as others load it, a SavedModel first."""
    training = FinishedTraining.open(config.run_dir)
    export_dir = pathlib.Path(config.export_dir).expanduser()
    version = next_version(export_dir, config.version)
    task = export_task(training, config.data_dir)
    for line in FORMATS[config.format](task, export_dir, version):
        print(line)
    written = export_dir / str(version)
    print(f"Exported and checked: {written}; what it is: {written / 'model_card.md'}")


def _set_arithmetic(config: SearchConfig | TrainingConfig) -> None:
    set_precision(config.precision)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def _tensorboard() -> str:
    """A command that works in the shell that started this: its PATH need not have our Python's."""
    beside = pathlib.Path(sys.executable).with_name("tensorboard")
    found = shutil.which("tensorboard") or not beside.exists()
    if found:
        return "tensorboard"
    here = pathlib.Path.cwd()
    return str(beside.relative_to(here) if beside.is_relative_to(here) else beside)


MODES = {"search": search, "train": train, "test": test, "export": export}


def main(arguments: list[str]) -> int:
    """Runs the mode that the flags ask for; returns the exit status."""
    try:
        if len(arguments) > 1:
            raise UserError(f"{arguments[1]!r} is not a flag; write --NAME=VALUE.")
        config = command_line.config_from_flags()
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
