"""Cells beside a table of trained ones, as text: what their scores are worth there."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_darts.benchmarks import CellTable
from tf_darts.benchmarks.cell_table import Judgement
from tf_darts.benchmarks.null_distribution import by_mean_percentile, fisher
from tf_darts.cells.genotype import Genotype
from tf_darts.report.statistics import GIVEN, summarise
from tf_darts.report.tables import Rows, markdown_table, plain_table

# Of how many random cells the best stands beside one cell.
DRAWS = (10, 100)
_MISSING = "not in the table"


def search_text(table: CellTable, cell: Genotype) -> str:
    """The lines about the cell that a search found, for the terminal."""
    if not table.has(cell):
        return f"{table.path} has no such cell: it has {_size(table)}."
    return (
        f"In {table.path}, a table of {_size(table)}, the cell has these scores beside others:\n"
        f"{plain_table(score_rows(table, cell))}\n"
        f"Percentiles are among all cells and among those with the same {table.form.alike_by}; p is"
        " how often a random cell is as good."
    )


def search_document(table: CellTable, cell: Genotype) -> dict[str, Any]:
    """The same for `table.json`."""
    judged = table.judge(cell) if table.has(cell) else ()
    return _head(table) | {
        "scores": [judgement._asdict() for judgement in judged],
        "references": table.references(DRAWS),
    }


def score_rows(table: CellTable, cell: Genotype) -> list[dict[str, str]]:
    """A row for each column of the table: the cell's score, its places, and the references."""
    references = table.references(DRAWS)
    rows = []
    for judgement in table.judge(cell):
        score = judgement.score
        row = {
            "score": score,
            "cell": f"{judgement.value:.2f}",
            "percentile": f"{judgement.percentile:.1f}",
            f"among {judgement.alike:,} alike": _alike(judgement),
            "p": _p(judgement.p),
        }
        rows.append(row | {name: f"{scores[score]:.2f}" for name, scores in references.items()})
    return rows


def judged_ranking(
    table: CellTable, column: str, candidates: Sequence[tuple[str, str, Genotype]], seeded: bool
) -> dict[str, Any]:
    """What `ranking.json` says of a study's candidates in a table.

    Args:
      table: where the cells are.
      column: by which the study ranks.
      candidates: (name, source, cell) of those that completed, the best first.
      seeded: whether a source's candidates are independent of each other, as those of a selection:
        then its scores are tested together. A tuner's are not, and one that goes on with a cell in
        another trial has drawn it once.

    Returns:
      {"file", "cells", "sha256", "score"}, and rows of tables: "best" (each source's), "best_cell"
      (of the first candidate), "sources", "judged" (all candidates).
    """
    cells = {name: cell for name, _, cell in candidates}
    sources: dict[str, list[Genotype]] = {}
    for _, source, cell in candidates:
        drawn = sources.setdefault(source, [])
        if seeded or cell not in drawn:
            drawn.append(cell)
    draws = sum(map(len, sources.values()))
    independent = {source: cells for source, cells in sources.items() if source != GIVEN}
    return _head(table) | {
        "score": column,
        "judged": cell_rows(table, cells, [draws] if cells else []),
        "sources": group_rows(table, independent) if seeded else [],
        "best": best_rows(table, column, sources),
        "best_cell": score_rows(table, candidates[0][2]) if candidates else [],
    }


def ranking_text(judged: Mapping[str, Any]) -> str:
    """What `judged_ranking` makes, as lines for the terminal."""
    if not judged["best"]:
        return ""
    return (
        f"\nThe best of each source in {judged['file']}; p: of the best of as many random cells:\n"
        f"{plain_table(judged['best'])}\nThe best cell there:\n{plain_table(judged['best_cell'])}"
    )


def ranking_document(judged: Mapping[str, Any]) -> str:
    """The part of `ranking.md` that `judged_ranking` makes."""
    return (
        f"\n## In the table\n\n{judged['file']} has {judged['cells']:,} cells; candidates are"
        f" ranked by its column {judged['score']}, and nothing was trained.\n\n"
        f"{markdown_table(judged['best'])}{_BEST_NOTE}"
        + (f"\n{markdown_table(judged['sources'])}{_GROUP_NOTE}" if judged["sources"] else "")
        + f"\n{markdown_table(judged['judged'])}{_CELL_NOTE}"
    )


_BEST_NOTE = """
p: that the best of as many random cells is as good; its expected score stands beside.
"""
_GROUP_NOTE = """
Independent candidates together, against the exact distribution of random cells: Fisher's p, and the
p of the mean percentile.
"""
_CELL_NOTE = """
Score (percentile among all cells, percentile among those that are alike; p: how often a random cell
is as good). No percentile where no other cell is alike.
"""


def report_section(
    table: CellTable, cells: Mapping[str, Genotype], groups: Mapping[str, Sequence[Genotype]]
) -> str:
    """The part of a report about cells in a table, as Markdown.

    Args:
      table: where the cells are.
      cells: by the names of their runs.
      groups: by label, the cells of entries that differ by their seeds alone.
    """
    grouped = group_rows(table, groups)
    return (
        f"\n#### In the table\n\n{table.path} has {_size(table)}; alike are those with the same"
        f" {table.form.alike_by}.\n\n"
        + (f"{markdown_table(grouped)}{_GROUP_NOTE}\n" if grouped else "")
        + f"{markdown_table(cell_rows(table, cells, DRAWS))}{_CELL_NOTE}"
    )


def cell_rows(
    table: CellTable, cells: Mapping[str, Genotype], draws: Sequence[int]
) -> list[dict[str, str]]:
    """A row for each cell, and for each reference: all columns of the table."""
    rows = []
    for name, cell in cells.items():
        entries = {table.columns[0]: _MISSING}
        if table.has(cell):
            entries = {judgement.score: _compact(judgement) for judgement in table.judge(cell)}
        rows.append({"cell": name} | entries)
    for name, scores in table.references(draws).items():
        rows.append({"cell": name} | {score: f"{value:.2f}" for score, value in scores.items()})
    return rows


def group_rows(table: CellTable, groups: Mapping[str, Sequence[Genotype]]) -> list[dict[str, str]]:
    """A row for each group and full score: its cells' scores, places and their p together."""
    rows = []
    for label, members in groups.items():
        judged = [table.judge(cell) for cell in members if table.has(cell)]
        for own in zip(*judged, strict=True):
            if own[0].score not in table.full_columns:
                continue
            ps = [judgement.p for judgement in own]
            percentiles = np.mean([j.percentile for j in own])
            alike = [j.percentile_alike for j in own if j.alike > 1]
            rows.append(
                {
                    "cells": label,
                    "score": own[0].score,
                    "n": str(len(own)),
                    "in the table": str(summarise([j.value for j in own], "max")),
                    "percentile": f"{percentiles:.1f}",
                    "among alike": f"{np.mean(alike):.1f}" if alike else "–",
                    "p (Fisher)": _p(fisher(ps)),
                    "p (mean percentile)": _p(by_mean_percentile(ps)),
                }
            )
    return rows


def best_rows(table: CellTable, column: str, sources: Mapping[str, Sequence[Genotype]]) -> Rows:
    """A row for each source: what it chose, beside the best of as many random cells.

    Args:
      table: where the cells are.
      column: whose scores are shown.
      sources: each source's cells, the best first as the source knows them: a tuner may not have
        seen the best of the column among those that it gave up early.
    """
    rows, null = [], table.null(column)
    for source, cells in sources.items():
        best = table.query(cells[0])[column]
        references = table.references([len(cells)])
        random = f"best of {len(cells)} random" if len(cells) > 1 else "random"
        rows.append(
            {
                "source": source,
                "n": str(len(cells)),
                f"best {column}": f"{best:.2f}",
                "p": _p(null.p(best, len(cells))),
                "expected of random": f"{references.pop(random)[column]:.2f}",
                **{name: f"{scores[column]:.2f}" for name, scores in references.items()},
            }
        )
    return rows


def _head(table: CellTable) -> dict[str, Any]:
    return {"file": table.path, "cells": len(table), "sha256": table.digest}


def _size(table: CellTable) -> str:
    """How many cells it has, in words."""
    all_of = "" if table.complete else f" of the {table.form.cells:,} of the space"
    return f"{len(table):,} cells{all_of}"


def _compact(judgement: Judgement) -> str:
    places = f"{judgement.percentile:.1f}, {_alike(judgement)}"
    return f"{judgement.value:.2f} ({places}; {_p(judgement.p)})"


def _alike(judgement: Judgement) -> str:
    return f"{judgement.percentile_alike:.1f}" if judgement.alike > 1 else "–"


def _p(p: float) -> str:
    return f"{p:.2g}"
