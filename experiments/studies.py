"""Two studies, of texts and of images: what has finished of them as lines, and their tables.

  python experiments/studies.py --study=texts --run=RUN      # of flags/select_ptb_small.flags
  python experiments/studies.py --study=images --run=RUN     # of flags/select_cifar10_small.flags
  python experiments/studies.py --tested=RUN                 # an images' training, and its test

A line is the candidate's row of the study's `ranking.json`, with what its search said of itself; or
what a training came to, and its one test.
"""

import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from absl import app, flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import records

from tf_darts.cli import program
from tf_darts.errors import UserError
from tf_darts.report import run_files
from tf_darts.report.statistics import compare, summarise
from tf_darts.report.tables import Rows, markdown_table
from tf_darts.runtime import files

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "experiments" / "results"


class Study(NamedTuple):
    """A study.

    Attributes:
      lines: the file of its candidates' lines in `RESULTS`.
      score: what a candidate is judged by, as histories and results call it after "validation_".
      unit: the same for people.
      better: "min" or "max".
    """

    lines: str
    score: str
    unit: str
    better: str


STUDIES = {
    "texts": Study("ptb.jsonl", "perplexity", "perplexity", "min"),
    "images": Study("cifar10.jsonl", "accuracy", "accuracy, %", "max"),
}
TESTED = "cifar10_tested.jsonl"  # the lines of tested trainings on images
_REFERENCE = "random"
_KEPT = "source", "seed", "score", "genotype", "search_seconds", "training_seconds"
_SCORES = "score", "validation", "test"
_ADVICE = "restore it from a copy"

Line = records.Line


def read(name: str) -> list[Line]:
    """The lines of a file of `RESULTS`; none where there is no such file."""
    return records.read(RESULTS / name)


def candidates(run: pathlib.Path, study: Study) -> list[Line]:
    """The candidates that a study has finished."""
    rows = files.read_json(run / "ranking.json", _ADVICE)["candidates"]
    return [
        {name: row[name] for name in _KEPT}
        | {"source": row["name"] if row["source"] == "given" else row["source"]}
        | {"weights": row["counts"]["weights"]}
        | {"epochs": _epochs(run / "candidates" / row["name"] / "search" / "history.jsonl", study)}
        for row in rows
        if row["status"] == "completed"
    ]


def _epochs(history: pathlib.Path, study: Study) -> list[dict[str, float]]:
    """What a search measured, epoch by epoch; nothing where there was none."""
    parts = "train", "validation_batch", "validation"
    names = [*(f"{part}_{study.score}" for part in parts), "entropy"]
    lines = files.read_json_lines(history) if history.exists() else []
    return [{name: round(line[name], 4) for name in names if name in line} for line in lines]


def tested(run: pathlib.Path) -> Line:
    """What a training on images came to: its cell, its scores, its size and its time.

    Raises:
      UserError: it has not been tested, or cannot be read.
    """
    records, score = run_files.read_records(run), STUDIES["images"].score
    settings = files.read_json(run / "config.json", _ADVICE)["settings"]
    test = run_files.read_test(run, score)
    if test is None:
        raise UserError(f"{run}: has not been tested; run --mode=test --run_dir={run} first.")
    return {
        "name": run.parent.name if run.name == "train" else run.name,  # a study's candidate's
        "settings": {n: settings[n] for n in ("channels", "layers")},
        "epochs": len(records),
        "seed": settings["seed"],
        "cell": str(run_files.read_cell(run)),
        "validation": run_files.read_result(run, score),
        "test": test,
        "counts": run_files.read_counts(run),
        "seconds": records[-1]["seconds"],
    }


def table(lines: Sequence[Line], study: Study) -> Rows:
    """A row for each source, the best first, and how it differs from random cells."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line["source"], []).append(line)
    scores = {source: [line["score"] for line in group] for source, group in groups.items()}
    best_first = sorted(groups, key=lambda name: np.mean(scores[name]))
    rows = []
    for source in best_first if study.better == "min" else reversed(best_first):
        compared = None
        if source != _REFERENCE and _REFERENCE in groups:
            compared = compare(scores[source], scores[_REFERENCE])
        entropies = [line["epochs"][-1]["entropy"] for line in groups[source] if line["epochs"]]
        sizes = [line["weights"] for line in groups[source] if "weights" in line]
        rows.append(
            {
                "cells": f"`{source}`",
                "seeds": str(len(groups[source])),
                f"validation {study.unit}": str(summarise(scores[source], study.better)),
                "by seed": ", ".join(f"{score:.1f}" for score in scores[source]),
                "from random": f"{compared.difference:+.1f}" if compared else "",
                "p (Welch)": f"{compared.welch:.2g}" if compared and compared.welch else "",
                "p (permutation)": f"{compared.permutation:.2g}" if compared else "",
                **({"weights": f"{np.mean(sizes):,.0f}"} if sizes else {}),
                "entropy of α": f"{np.mean(entropies):.2f}" if entropies else "",
                "search, minutes": _minutes(groups[source], "search_seconds"),
                "training, minutes": _minutes(groups[source], "training_seconds"),
            }
        )
    return rows


def _minutes(lines: Sequence[Line], name: str) -> str:
    seconds = [line[name] for line in lines if line[name]]
    return f"{np.mean(seconds) / 60:.0f}" if seconds else ""


def tested_table(lines: Sequence[Line]) -> Rows:
    """A row for each tested training, those of one size together, the best validation first."""
    return [
        {
            "training": f"`{line['name']}`",
            "channels, cells": ", ".join(str(n) for n in line["settings"].values()),
            "weights": f"{line['counts']['weights']:,}",
            "multiply-adds, million": f"{line['counts']['multiply-adds an image'] / 1e6:.1f}",
            "epochs": str(line["epochs"]),
            "validation accuracy, %": f"{line['validation']:.2f}",
            "test accuracy, %": f"{line['test']:.2f}",
            "minutes": f"{line['seconds'] / 60:.0f}",
        }
        for line in sorted(lines, key=lambda x: (*x["settings"].values(), -x["validation"]))
    ]


def tables(read: Callable[[str], Sequence[Line]] = read) -> dict[str, Rows]:
    """The tables of docs/ by name."""
    made = {name: table(read(study.lines), study) for name, study in STUDIES.items()}
    return made | {"tested images": tested_table(read(TESTED))}


def record(name: str, lines: Sequence[Line], keys: Sequence[str]) -> None:
    """Adds lines to a file of `RESULTS`, in place of those of the same keys.

    Raises:
      UserError: one of them says another thing than the line that it would replace.
    """

    def key(line: Line) -> tuple[str, ...]:
        return tuple(str(line[key]) for key in keys)

    known = {key(line): line for line in read(name)}
    for line in lines:
        before = known.get(key(line), line)
        if any(before.get(score) != line.get(score) for score in _SCORES):
            raise UserError(
                f"{RESULTS / name}: has other scores of {', '.join(key(line))}; this is another"
                " run. Remove that line, and this one takes its place."
            )
    records.add(RESULTS / name, lines, key)


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_enum("study", None, sorted(STUDIES), "Whose lines are recorded.")
    flags.DEFINE_string("run", None, "The run directory of the study.")
    flags.DEFINE_string("tested", None, "The run directory of a tested training.")


def main(arguments: list[str]) -> None:
    """Records and prints."""
    del arguments
    asked = flags.FLAGS
    study = STUDIES[asked.study] if asked.study else None
    if asked.run and study is None:
        raise app.UsageError("--study says whose lines these are: " + ", ".join(STUDIES))
    if asked.run:
        record(study.lines, candidates(pathlib.Path(asked.run), study), ("source", "seed"))
    if asked.tested:
        record(TESTED, [tested(pathlib.Path(asked.tested))], ("name", "settings"))
    for rows in tables().values() if study is None else [table(read(study.lines), study)]:
        print(markdown_table(rows))


if __name__ == "__main__":
    define_flags()
    program.run(main, "studies")
