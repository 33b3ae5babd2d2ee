"""Finished searches as lines of a file that stays: settings, cells of all epochs, their scores.

  python experiments/record_run.py runs/beta_darts_0 runs/gdas_0 --table=nasbench201.csv \
    --output=experiments/results/nasbench201

A line has all that docs/results.md says of a run, so that the document can be made again where the
run directory is gone (`experiments/leaderboard.py`). A run of the same settings is written once:
who records it again replaces its line. Runs that have not finished are refused.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import records

from tf_darts.benchmarks import CellTable
from tf_darts.cells.genotype import genotype_class
from tf_darts.cli import program
from tf_darts.config.method_names import label
from tf_darts.config.recorded import kind_of, space_of
from tf_darts.errors import UserError
from tf_darts.report.run_files import read_finished
from tf_darts.report.table_judgement import search_document
from tf_darts.runtime import files
from tf_darts.runtime.environment import recorded_environment
from tf_darts.runtime.run_directory import RunDirectory

_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "The file of lines, NAME.jsonl, or a folder with one for each method.",
    required=True,
)
_TABLE = flags.DEFINE_string(
    "table", None, "That of the searches: random cells' scores, and cells not looked up yet."
)
_COMMIT = flags.DEFINE_string("commit", None, "Of the code that ran, where the run does not say.")
_ADVICE = "restore it from a copy, or leave this run out"
# Of an epoch; what is None or missing is left out.
_KEPT = "epoch", "step", "seconds", "validation_accuracy", "validation_perplexity", "entropy"


def record(path: pathlib.Path) -> dict[str, Any]:
    """A finished search as a JSON object.

    Returns:
      {"method", "seed", "version", "commit", "settings", "epochs": [{"epoch", "step", "seconds",
      "cell", "table", "monitors", …}], "result": {"epoch", "cell", "scores",
      "references"}}; the result also has what was "found" of a known answer and why the search
      "stopped" early, where that is so. A search in stages has the epochs and steps of all of them,
      counted on.

    Raises:
      UserError: it holds no search, or one that has not finished; `StateError`: it cannot be read.
    """
    run, settings = RunDirectory.read(path)
    try:
        if kind_of(run) != "search":
            raise UserError(f"{path}: holds no search; leave it out.")
        last = read_finished(path, "search", settings["epochs"])
        if not last:
            raise UserError(f"{path}: the search has not finished; go on with it first.")
        before = _earlier_stages(path)
        history = _one_after_the_other([*before, last])
        result = run.read_result() or {}
    finally:
        run.close()
    version = files.read_json(path / "config.json", _ADVICE).get("tf_darts")
    starts = recorded_environment(path)
    commit = (starts[-1]["versions"].get("commit") if starts else None) or _COMMIT.value
    scores: list[Any] = []
    table = CellTable(_TABLE.value, space_of(run)) if _TABLE.value else None
    if files.exists(path / "table.json"):
        scores = files.read_json(path / "table.json", _ADVICE)["scores"]
    elif table is not None:  # the search was not given the table
        cell_class = genotype_class(space_of(run))
        for line in history:
            line["table"] = table.scores_of(cell_class.from_dict(line["genotype"]))
        found = cell_class.from_dict((result or history[-1])["genotype"])
        scores = search_document(table, found)["scores"]
    return {
        "method": label(settings),
        "seed": settings["seed"],
        "version": version,
        "commit": commit,
        "settings": {name: _portable(value) for name, value in settings.items() if name != "cells"},
        "epochs": [_epoch(line) for line in history],
        "result": {
            "epoch": result.get("epoch", last[-1]["epoch"]) + sum(map(len, before)),
            "cell": result.get("cell", history[-1]["cell"]),
            "scores": scores,
            "references": table.references((1, 10)) if table else {},
        }
        | {name: result[name] for name in ("found", "stopped") if name in result},
    }


def _earlier_stages(path: pathlib.Path) -> list[list[dict[str, Any]]]:
    """The histories of all stages of a search but the last; none where it had no stages."""
    folders = sorted((path / "stages").glob("*"), key=lambda folder: int(folder.name))
    return [files.read_json_lines(folder / "history.jsonl") for folder in folders]


def _one_after_the_other(stages: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The epochs of all stages, as if one search had taken them; seconds are counted on already."""
    history: list[dict[str, Any]] = []
    for stage in stages:
        epoch, step = (history[-1]["epoch"], history[-1]["step"]) if history else (0, 0)
        history += [
            line | {"epoch": line["epoch"] + epoch, "step": line["step"] + step} for line in stage
        ]
    return history


def _epoch(line: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: _short(line[name]) for name in _KEPT if line.get(name) is not None}
    rest = {name: line[name] for name in ("cell", "table") if name in line}
    monitors = {name: _short(value) for name, value in line.get("monitors", {}).items()}
    return numbers | rest | {"monitors": monitors}


def _portable(setting: Any) -> Any:
    """A file that is named with its whole path is named alone: the path is of that machine."""
    is_path = isinstance(setting, str) and pathlib.Path(setting).is_absolute()
    return pathlib.Path(setting).name if is_path else setting


def _short(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _key(line: Mapping[str, Any]) -> tuple[str, int, str]:
    return line["method"], line["seed"], json.dumps(line["settings"], sort_keys=True)


def main(arguments: list[str]) -> None:
    """Writes the lines, sorted by method and seed."""
    if len(arguments) < 2:
        raise UserError("no run directory given; name those of finished searches.")
    output = pathlib.Path(_OUTPUT.value)
    lines = [record(pathlib.Path(run)) for run in arguments[1:]]
    print(f"{output}: {len(records.add(output, lines, _key))} runs")


if __name__ == "__main__":
    program.run(main, "record_run")
