"""Searches whose right answer is known, and searches with and without a guard: runs and tables.

  python experiments/controls.py --run --runs=DIR     # runs what is not recorded yet
  python experiments/controls.py                      # prints the tables

`PLAN` has all searches, four seeds each, the same ones in all rows, which are compared by pairs.
A run that has finished becomes a line of `experiments/results/controls.jsonl` (`record_run.py`).
What has a line is not run again: the list can be stopped and go on at any time, a search from its
last checkpoint.
"""

import itertools
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import records

from tf_darts.cells.answers import at_least
from tf_darts.cli import program
from tf_darts.config.presets import computed_settings, configure
from tf_darts.report.tables import Rows, markdown_table

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDS = ROOT / "experiments" / "results" / "controls.jsonl"

Settings = Mapping[str, Any]
Line = Mapping[str, Any]

SEEDS = range(4)
# S2 and S4 of RobustDARTS in so small a supernet that a search takes a minute or two of a core;
# alpha's rate is ten times the paper's, because it has fewer steps.
_SMALL = {
    "dataset": "cifar10",
    "image_size": 16,
    "channels": 4,
    "layers": 3,
    "train_examples": 2000,
    "epochs": 15,
    "steps_per_epoch": 20,
    "alpha_learning_rate": 3e-3,
}
# Of each space what all its searches share, and what is wrong in its cells where it has no answer.
SPACES: Mapping[str, Settings] = {
    "planted": {"dataset": "planted", "space": "planted"},
    "s4_mini": {"dataset": "digits", "space": "s4_mini"},
    "s2": _SMALL | {"operations": "s2"},
    "s4": _SMALL | {"operations": "s4"},
}
WRONG = {"s2": "skip_connect", "s4": "noise"}
CHANCE = {"planted": 1 / 4, "s4_mini": 1 / 2}  # of an edge's operation to be right
_FIRST = {"hypergradient": "first_order"}
# The early stop looks at every epoch, since there are few, and at one batch.
_STOP = _FIRST | {"method": "robust_darts_es", "eigenvalue_epochs": 1, "eigenvalue_batches": 1}
_REFERENCE = {"method": "darts_first"}
_GUARDS = (
    _REFERENCE,
    {"method": "beta_darts"},
    _FIRST | {"method": "robust_darts_l2"},
)
# The authors' 50 is for ten times as many epochs.
_LESS_DECAY = tuple({"method": "beta_darts", "beta_weight": weight} for weight in (5.0, 0.5))
_LEAST_DECAY = _LESS_DECAY[-1]
_METHODS = ("darts", "darts_first", "beta_darts", "gdas")
# By space, the searches in their order. Where alpha does not move all methods read the same cell.
PLAN: Mapping[str, Sequence[Settings]] = {
    "s4_mini": (
        *_GUARDS,
        *_LESS_DECAY,
        _STOP | {"eigenvalue_start": 2},
        _REFERENCE | {"permute_labels": True},
        _REFERENCE | {"rules": "frozen_alphas"},
    ),
    "s2": (*_GUARDS, _LEAST_DECAY, _STOP | {"eigenvalue_start": 3}),
    "s4": (*_GUARDS, _LEAST_DECAY, _STOP | {"eigenvalue_start": 3}),
    "planted": (
        *({"method": method} for method in _METHODS),
        *({"method": method, "permute_labels": True} for method in _METHODS),
        _REFERENCE | {"rules": "frozen_alphas"},
    ),
}


def planned() -> Iterator[tuple[str, Settings, int]]:
    """The space, the settings of its own and the seed of each search, in the order of running.

    Seed by seed, the space `planted` last: it takes longest, and other runs of it are known.
    """
    for last in (False, True):
        for seed, (space, searches) in itertools.product(SEEDS, PLAN.items()):
            if (space == "planted") == last:
                yield from ((space, own, seed) for own in searches)


def words(settings: Settings) -> list[str]:
    """Settings as flags."""
    pairs = settings.items()
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in pairs]


def key(space: str, own: Settings, seed: int) -> str:
    """What the line of a search has as its settings, as one text."""
    config = configure({"mode": "search"} | SPACES[space] | own | {"seed": seed})
    return _text(computed_settings(config) | {"distribution": "one_device"})


def _text(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)


def read(path: pathlib.Path = RECORDS) -> dict[str, Line]:
    """The recorded runs by their settings."""
    return {_text(line["settings"]): line for line in records.read(path)}


def run_all(runs: pathlib.Path, cifar10_dir: str) -> None:
    """Runs and records all that is not recorded; raises `CalledProcessError` where one fails."""
    command = [sys.executable, "-m", "tf_darts.main", "--mode=search"]
    for space, own, seed in planned():
        if key(space, own, seed) in read():
            continue
        name = "_".join([space, *map(str, own.values()), str(seed)])
        given = words(SPACES[space] | own | {"seed": seed, "run_dir": runs / name})
        if cifar10_dir and SPACES[space]["dataset"] == "cifar10":
            given.append(f"--data_dir={cifar10_dir}")
        subprocess.run([*command, *given], check=True, cwd=ROOT)
        record = [sys.executable, str(ROOT / "experiments" / "record_run.py")]
        subprocess.run([*record, str(runs / name), f"--output={RECORDS}"], check=True, cwd=ROOT)


def groups(spaces: Sequence[str]) -> Iterator[tuple[str, Settings, list[Line]]]:
    """Of each search of these spaces the runs that are recorded, if there are any."""
    recorded = read()
    for space in spaces:
        for own in PLAN[space]:
            keys = [key(space, own, seed) for seed in SEEDS]
            if lines := [recorded[k] for k in keys if k in recorded]:
                yield space, own, lines


def _common(own: Settings, lines: Sequence[Line]) -> dict[str, str]:
    """The cells that rows of both tables begin with."""
    return {"search": f"`{' '.join(words(own))}`", "seeds": str(len(lines))}


def _measured(lines: Sequence[Line]) -> dict[str, str]:
    """What they end with: the supernet's scores at the epochs whose cells count."""
    scores = [_chosen(line)["validation_accuracy"] for line in lines]
    ends = dict.fromkeys(f"{score:.1f}" for score in (min(scores), max(scores)))
    return {"validation, %": "–".join(ends)}


def _chosen(line: Line) -> Mapping[str, Any]:
    """The record of the epoch whose cell is the result."""
    return line["epochs"][line["result"]["epoch"] - 1]


def controls() -> Rows:
    """A row for each search whose answer is known."""
    rows = []
    for space, own, lines in groups(("planted", "s4_mini")):
        found = [line["result"]["found"] for line in lines]
        right, edges = (sum(each[name] for each in found) for name in ("right", "edges"))
        p = at_least(right, [CHANCE[space]] * edges)
        rows.append(
            {"space": f"`{space}`"}
            | _common(own, lines)
            | {
                "right, by seed": ", ".join(str(each["right"]) for each in found),
                "together": f"{right} of {edges}",
                "p": f"{p:.2g}",
            }
            | _measured(lines)
        )
    return rows


def wrong(line: Line) -> tuple[int, int]:
    """How many edges of a cell are wrong: of both cells' 16, and of the normal one's 8."""
    operation, cell = WRONG[line["settings"]["operations"]], line["result"]["cell"]
    return cell.count(operation), cell.partition(" / reduce ")[0].count(operation)


def guards() -> Rows:
    """A row for each search in S2 and S4."""
    rows, reference = [], {}
    for space, own, lines in groups(("s2", "s4")):
        counts = {line["seed"]: wrong(line) for line in lines}
        if own == _REFERENCE:
            reference[space] = counts
        unguarded = reference.get(space, {})
        pairs = [(counts[seed][0], unguarded[seed][0]) for seed in counts if seed in unguarded]
        rows.append(
            {"operations": f"`{space}`", "wrong": f"`{WRONG[space]}`"}
            | _common(own, lines)
            | {
                "wrong of 16, by seed": ", ".join(str(both) for both, _ in counts.values()),
                "normal cell, of 8": ", ".join(str(normal) for _, normal in counts.values()),
                "mean": f"{np.mean([both for both, _ in counts.values()]):.1f}",
                "from the first": "" if own == _REFERENCE else _paired(pairs),
                "epoch of the cell": ", ".join(str(line["result"]["epoch"]) for line in lines),
            }
            | _measured(lines)
        )
    return rows


def _paired(pairs: Sequence[tuple[int, int]]) -> str:
    """The mean difference of pairs, and its p by all changes of their signs."""
    if not pairs:
        return ""
    differences = np.array([own - other for own, other in pairs])
    signs = np.array(list(itertools.product((-1, 1), repeat=len(pairs))))
    p = np.mean(np.abs(signs @ differences) >= abs(differences.sum()))
    return f"{differences.mean():+.1f} (p = {p:.2g})"


def tables() -> dict[str, Rows]:
    """The tables of docs/ by name."""
    return {"controls": controls(), "guards": guards()}


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_bool("run", False, "Run the searches that are not recorded.")
    flags.DEFINE_string("runs", None, "The folder of their run directories.")
    flags.DEFINE_string("cifar10_dir", "", "The folder of CIFAR-10; empty: downloads it.")


def main(arguments: list[str]) -> None:
    """Runs or prints."""
    del arguments
    asked = flags.FLAGS
    if asked.run:
        if not asked.runs:
            raise app.UsageError("--run needs --runs=DIR, where the run directories go.")
        run_all(pathlib.Path(asked.runs).expanduser().resolve(), asked.cifar10_dir)
    else:
        print(markdown_table(controls()), markdown_table(guards()), sep="\n")


if __name__ == "__main__":
    define_flags()
    program.run(main, "controls")
