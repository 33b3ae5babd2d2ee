"""The study of flags/select_ptb_small.flags: its finished candidates as lines, and their table.

  python experiments/text_study.py --run=RUN    # records what has finished so far
  python experiments/text_study.py --write      # writes the table into docs/results.md

A line is the candidate's row of the study's `ranking.json`, with what its search said of itself.
"""

import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from marked_tables import with_table

from tf_darts.report.statistics import compare, summarise
from tf_darts.report.tables import Rows, markdown_table
from tf_darts.runtime import files

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDS = ROOT / "experiments" / "results" / "ptb.jsonl"
DOCUMENT = ROOT / "docs" / "results.md"
_RUN = flags.DEFINE_string("run", None, "The run directory of the study.")
_WRITE = flags.DEFINE_bool("write", False, "Write the document.")
_REFERENCE = "random"
_KEPT = "source", "seed", "score", "genotype", "search_seconds", "training_seconds"
_EPOCH = "train_perplexity", "validation_batch_perplexity", "validation_perplexity", "entropy"

Line = Mapping[str, Any]


def read(path: pathlib.Path = RECORDS) -> list[Line]:
    """The recorded candidates, by source and seed."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def record(run: pathlib.Path) -> list[Line]:
    """The candidates that a study has finished."""
    advice = "restore it from a copy"
    rows = files.read_json(run / "ranking.json", advice)["candidates"]
    return [
        {name: row[name] for name in _KEPT}
        | {"epochs": _epochs(run / "candidates" / row["name"] / "search" / "history.jsonl")}
        for row in rows
        if row["status"] == "completed"
    ]


def _epochs(history: pathlib.Path) -> list[dict[str, float]]:
    """What a search measured, epoch by epoch; nothing where there was none."""
    lines = files.read_json_lines(history) if history.exists() else []
    return [{name: round(line[name], 4) for name in _EPOCH if name in line} for line in lines]


def table(lines: Sequence[Line]) -> Rows:
    """A row for each source, the best first, and how it differs from random cells."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line["source"], []).append(line)
    scores = {source: [line["score"] for line in group] for source, group in groups.items()}
    rows = []
    for source in sorted(groups, key=lambda name: np.mean(scores[name])):
        compared = None
        if source != _REFERENCE and _REFERENCE in groups:
            compared = compare(scores[source], scores[_REFERENCE])
        entropies = [line["epochs"][-1]["entropy"] for line in groups[source] if line["epochs"]]
        rows.append(
            {
                "cells": f"`{source}`",
                "seeds": str(len(groups[source])),
                "validation perplexity": str(summarise(scores[source], "min")),
                "by seed": ", ".join(f"{score:.1f}" for score in scores[source]),
                "from random": f"{compared.difference:+.1f}" if compared else "",
                "p (Welch)": f"{compared.welch:.2g}" if compared and compared.welch else "",
                "p (permutation)": f"{compared.permutation:.2g}" if compared else "",
                "entropy of α": f"{np.mean(entropies):.2f}" if entropies else "",
                "search, minutes": _minutes(groups[source], "search_seconds"),
                "training, minutes": _minutes(groups[source], "training_seconds"),
            }
        )
    return rows


def _minutes(lines: Sequence[Line], name: str) -> str:
    seconds = [line[name] for line in lines if line[name]]
    return f"{np.mean(seconds) / 60:.0f}" if seconds else ""


def document(text: str, lines: Sequence[Line]) -> str:
    """The document with the table made anew between its marks."""
    return with_table(text, "texts", "text_study.py", table(lines))


def main(arguments: list[str]) -> None:
    """Records, writes or prints."""
    del arguments
    if _RUN.value:
        known = {(line["source"], line["seed"]): line for line in read()}
        known |= {(line["source"], line["seed"]): line for line in record(pathlib.Path(_RUN.value))}
        content = "".join(json.dumps(known[key]) + "\n" for key in sorted(known))
        files.write_atomically(RECORDS, content)
    elif _WRITE.value:
        DOCUMENT.write_text(document(DOCUMENT.read_text(), read()))
    else:
        print(markdown_table(table(read())))


if __name__ == "__main__":
    app.run(main)
