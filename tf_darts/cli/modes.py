"""What each `--mode` does and prints: a configuration in, a finished run and a few lines out.

A mode imports what it alone needs, when it needs it: all of it takes a second.
"""

import dataclasses
import pathlib
import shlex
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tf_darts.cli.flags import loaded
from tf_darts.config.division import divided
from tf_darts.config.export import ExportConfig
from tf_darts.config.given_cell import find_cell
from tf_darts.config.layers import preset_for
from tf_darts.config.report import ReportConfig
from tf_darts.config.search import SearchConfig
from tf_darts.config.study import StudyConfig
from tf_darts.config.testing import TrainingTestConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.report.page.document import PAGE
from tf_darts.runtime.busy import busy
from tf_darts.runtime.console import say
from tf_darts.runtime.graph_optimisers import leave_out_graph_optimisers
from tf_darts.runtime.renewal import Renewal
from tf_darts.runtime.signals import graceful_stop
from tf_darts.runtime.threads import use_inter_op_threads

if TYPE_CHECKING:
    from tf_darts.runs.search import SearchRun


def search(config: SearchConfig) -> None:
    """`--mode=search`: looks for a cell and leaves it in the run directory."""
    from tf_darts.runs.search import run_search

    if config.prefers_inter_op_threads:
        use_inter_op_threads()
        leave_out_graph_optimisers(of_search=True)
    with graceful_stop() as stop:
        run = run_search(config, stop)
    from tf_darts.report.drawing.cell_text import cell_text
    from tf_darts.report.table_judgement import search_text
    from tf_darts.runs.training import in_words

    last, record, score, (baseline, value) = run.history[-1], run.record, run.score, run.baseline
    if run.stopped:
        say(
            f"Stopped after epoch {last['epoch']}: {run.stopped}. The cell is that of epoch"
            f" {record['epoch']}."
        )
    answer_line = "" if run.answer is None else f"Of the known answer, {run.answer}.\n"
    cell = run.path / "genotype.json"
    settings = {**_reading(config), **run.training}
    training = _command("train", dataset=config.dataset, **settings, genotype=cell)
    on_batches = record.get(f"validation_batch_{score}")  # None where alpha stood still
    in_training = "" if on_batches is None else f"; on batches, in training mode, {on_batches:.2f}"
    epochs = "1 epoch" if last["epoch"] == 1 else f"{last['epoch']} epochs"
    say(
        f"Found after {epochs} and {last['seconds'] / 60:.1f} minutes: {run.cell}\n"
        f"{answer_line}The supernet's validation {score} is {record[f'validation_{score}']:.2f}"
        f"{in_training} ({baseline}: {value:.2f}).\n"
        f"{_gap_line(record)}"
        f"{_blocked_line(run)}"
        f"{cell_text(run.cell, _columns(), sys.stdout.encoding or 'utf-8')}\n"
        f"Of this cell --mode=train --dataset={_quoted(config.dataset)} makes a network of"
        f" {in_words(run.counts)}.\n"
        f"Cell: {cell}   pictures: {run.path / 'plots'}\n"
        f"To look at in a browser: {run.path / PAGE}\n"
        f"TensorBoard: {_tensorboard(run.path)}\n"
        f"Train a network of it: {training}"
    )
    if run.table is not None:
        say(search_text(run.table, run.cell))


def train(config: TrainingConfig) -> None:
    """`--mode=train`: trains a network of a derived cell from random weights."""
    from tf_darts.runs.training import run_training
    from tf_darts.runs.training_tasks import has_test_part

    if config.prefers_inter_op_threads:
        use_inter_op_threads()
        leave_out_graph_optimisers()
    cell = find_cell(config)
    tested = has_test_part(config)
    if not tested and pathlib.Path(config.data_dir).expanduser().is_dir():
        say(f"{config.data_dir} has no test part: this training will have nothing to be tested on.")
    with graceful_stop() as stop:
        run = run_training(config, cell, stop)
    if run.validates:
        score = run.score
        baseline = f" ({run.baseline[0]}: {run.baseline[1]:.2f})" if run.baseline else ""
        epochs = "1 epoch" if config.epochs == 1 else f"{config.epochs} epochs"
        say(
            f"The best of {epochs} is {run.result['epoch']}: validation {score}"
            f" {run.result[f'validation_{score}']:.2f}{baseline}."
        )
    data = {"data_dir": config.data_dir} if config.data_dir else {}
    following = f"Test it, once: {_command('test', **data, run_dir=run.path)}"
    if not tested:
        following = (
            f"{config.data_dir} has no test part, so there is nothing to test it on.\n"
            f"Export it for a server: {_export(run.path)}"
        )
    say(
        f"Run: {run.path}   pictures: {run.path / 'plots'}\n"
        f"To look at in a browser: {run.path / PAGE}\n"
        f"TensorBoard: {_tensorboard(run.path)}\n"
        f"{following}"
    )


def study(config: StudyConfig) -> None:
    """`--mode=select`, `black_box` and `tune`: trains candidates and ranks them."""
    from tf_darts.report.ranking import ranking_summary
    from tf_darts.study.run_study import run_study

    ranking = run_study(config, before_candidate=Renewal().before_work)
    if ranking is None:
        say("No candidates are left; the chief has the ranking.")
        return
    path = pathlib.Path(config.run_dir).expanduser()
    say(
        f"{ranking_summary(ranking)}\n"
        f"Best cell: {path / 'genotype.json'}   ranking: {path / 'ranking.md'}, .csv, .json\n"
        f"To look at in a browser: {path / PAGE}"
    )
    if not getattr(config, "table", ""):  # else nothing was trained there
        say(f"TensorBoard: {_tensorboard(path)}")


def test(config: TrainingTestConfig) -> None:
    """`--mode=test`: the test score of a finished training, taken once and kept."""
    from tf_darts.runs.testing import run_training_test

    result = run_training_test(config)
    baseline = (
        f" ({result['baseline']}: {result['baseline_value']:.2f})" if "baseline" in result else ""
    )
    scores = ", ".join(f"{name} {value:.2f}" for name, value in result["scores"].items())
    say(f"Test of {pathlib.Path(config.run_dir).expanduser()}: {scores}{baseline}.")
    if "unaveraged" in result:
        scores = ", ".join(f"{name} {value:.2f}" for name, value in result["unaveraged"].items())
        say(f"With the last weights in place of their average: {scores}.")
    say(f"Export it for a server: {_export(config.run_dir)}")


def report(config: ReportConfig) -> None:
    """`--mode=report`: one document over the results of several runs."""
    from tf_darts.report.summary_report import write_report

    with busy("Reading the runs and drawing the report"):
        file = write_report(config.run_dirs, config.report_dir, config.reference, config.table)
    say(
        f"Report: {file}   pictures: {file.parent / 'plots'}\n"
        f"To look at in a browser: {file.parent / PAGE}\n"
        f"TensorBoard: {_tensorboard(file.parent / 'tensorboard')}"
    )


def export(config: ExportConfig) -> None:
    """`--mode=export`: the network of a finished training as others load it, a SavedModel first."""
    from tf_darts.runs.export import run_export

    exported = run_export(config)
    for note in exported.notes:
        say(note)
    say(f"Exported and checked: {exported.path}; what it is: {exported.path / 'model_card.md'}")


def _gap_line(record: Mapping[str, Any]) -> str:
    """What the mixture's score loses when the cell takes its place; "" if not measured."""
    gap = record.get("monitors", {}).get("discretisation/gap")
    if gap is None:
        return ""
    word = "worse" if gap >= 0 else "better"
    return (
        f"In training mode the cell alone, with the same weights, is {word} than the mixture by"
        f" {abs(gap):.2f}.\n"
    )


def _blocked_line(run: "SearchRun") -> str:
    """That nothing passes through the cell, and how to take another; "" if something does."""
    if not (blocked := run.cell.blocked()):
        return ""
    other = _quoted(f"{run.path / 'history.jsonl'}:N")
    return f"{blocked} A network of it can only guess; --genotype={other} is the cell of epoch N.\n"


def _tensorboard(events: pathlib.Path) -> str:
    """The command that shows what is below a folder, with every picture that was logged."""
    return f"{_program('tensorboard')} --logdir={_quoted(events)} --samples_per_plugin=images=100"


def _program(name: str) -> str:
    """A program of this Python, as the shell that started it finds it.

    By its name where PATH has the one of this environment, which need not be active; else its path.
    """
    own = pathlib.Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if not own.exists() or (found and pathlib.Path(found).parent == own.parent):
        return name
    cwd = pathlib.Path.cwd()
    return _quoted(own.relative_to(cwd) if own.is_relative_to(cwd) else own)


def _columns() -> int:
    """The width of the terminal, as far as lines are read well."""
    return min(100, shutil.get_terminal_size().columns)


def _command(mode: str, **given: Any) -> str:
    """What comes after a run, as a line for a shell: a training, its test, its export.

    Args:
      mode: of the command.
      **given: its flags.
    """
    # Members of others are known to no process but that which loads them.
    words = ["-m", "tf_darts.main", *loaded(), f"--mode={mode}"]
    for name, value in given.items():
        words.append(f"--{name}={str(value).lower() if isinstance(value, bool) else value}")
    return f"{_program('python')} {shlex.join(words)}"


def _export(run_dir: pathlib.Path | str) -> str:
    return _command("export", run_dir=run_dir, export_dir="models/NAME")


def _reading(config: SearchConfig) -> dict[str, Any]:
    """How a search was told to read its data, which a training on them must be told too."""
    usual = preset_for("search", config.dataset, config.space)
    if hasattr(config, "division"):  # a folder's own validation part is found again
        in_place = dataclasses.replace(usual, data_dir=config.data_dir)
        usual = dataclasses.replace(usual, division=divided(in_place, {}, "").division)
    names = ("data_dir", "image_size", "min_count", "crop_padding", "flip", "division")
    both = [name for name in names if hasattr(config, name)]
    return {n: getattr(config, n) for n in both if getattr(config, n) != getattr(usual, n)}


def _quoted(word: pathlib.Path | str) -> str:
    """A path or value as a shell takes it."""
    return shlex.quote(str(word))


MODES = {
    "search": search,
    "train": train,
    "test": test,
    "select": study,
    "black_box": study,
    "tune": study,
    "report": report,
    "export": export,
}
