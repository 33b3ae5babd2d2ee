"""The page of a report or study: its runs side by side, in a table that can be sorted."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tf_darts.cells.genotype import SPACES, Genotype
from tf_darts.report.entries import Entry
from tf_darts.report.page.cell_slider import cell_slider
from tf_darts.report.page.curves import curves, points
from tf_darts.report.page.document import (
    FONT,
    INK,
    WIDTH,
    Figure,
    escaped,
    figures,
    heading,
    paragraph,
    write_page,
)

_ROW = 26  # of the table, pixels


def sortable(rows: Sequence[Mapping[str, Any]], order: str) -> Figure:
    """Rows as a table that a list above sorts by any column; empty values come last.

    Args:
      rows: the values by column, at least one row.
      order: what order they are in, the first entry of the list.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns = [c for c in columns if any(row.get(c) not in (None, "") for row in rows)]

    def cells(ordered: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        return [[_written(row.get(column)) for row in ordered] for column in columns]

    def button(label: str, ordered: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        arguments = [{"cells.values": [cells(ordered)]}]
        return {"label": escaped(label), "method": "restyle", "args": arguments}

    buttons = [button(order, rows)]  # plotly shows the first one until another is chosen
    for column in columns:
        known = [row for row in rows if row.get(column) not in (None, "")]
        empty = [row for row in rows if row.get(column) in (None, "")]
        numbers = all(isinstance(row[column], int | float) for row in known)
        for way, down in (("ascending", False), ("descending", True)):
            key = (lambda row, c=column: row[c]) if numbers else (lambda row, c=column: str(row[c]))
            ordered = sorted(known, key=key, reverse=down) + empty
            buttons.append(button(f"sorted by {column}, {way}", ordered))
    width = [
        max(len(column), *(len(v) for v in own))
        for column, own in zip(columns, cells(rows), strict=True)
    ]
    data = {
        "type": "table",
        "columnwidth": [min(max(w, 6), 40) for w in width],
        "header": {"values": [f"<b>{escaped(c)}</b>" for c in columns], "align": "left",
                   "fill": {"color": "#eef2f5"}, "height": _ROW},
        "cells": {"values": cells(rows), "align": "left", "height": _ROW,
                  "fill": {"color": "white"}, "line": {"color": "#dddddd"}},
    }  # fmt: skip
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"}
    lines = sum(
        max(-(-w // 40) for w in [len(v) for v in row] or [1])
        for row in zip(*cells(rows), strict=True)
    )
    layout = {
        "width": WIDTH, "height": min(120 + _ROW * (lines + 1), 900), "updatemenus": [menu],
        "margin": {"l": 0, "r": 0, "t": 50, "b": 10},
        "font": {"family": FONT, "color": INK, "size": 12},
    }  # fmt: skip
    return {"data": [data], "layout": layout}


def _written(value: Any) -> str:
    return "" if value is None else escaped(f"{value:.5g}" if isinstance(value, float) else value)


def write_report_page(
    directory: pathlib.Path, entries: Sequence[Entry], environments: Mapping[str, str]
) -> None:
    """Writes `report.html` of a report.

    Args:
      directory: the report's.
      entries: at least one.
      environments: in what each run was computed, by the run.

    Raises:
      StorageError: it cannot be written.
    """
    table = sortable([_row(entry) for entry in entries], "in the order in which runs were given")
    parts = [heading("Runs"), figures({"runs": table})]
    cells = {entry.name: entry.cell for entry in entries if entry.cell is not None}
    parts += _cells(cells) + _curves(entries) + [heading("Environments")]
    parts += [paragraph(f"{run}: {text}") for run, text in environments.items()]
    write_page(directory, "Report", parts)


def write_study_page(directory: pathlib.Path, ranking: Mapping[str, Any]) -> None:
    """Writes `report.html` of a study, of a ranking as `ranking.py` describes it.

    Raises:
      StorageError: it cannot be written.
    """
    rows, cells, score = [], {}, ranking["score"]
    for candidate in ranking["candidates"]:
        rows.append(
            {
                "candidate": candidate["name"],
                "source": candidate["source"],
                "seed": candidate["seed"],
                score: candidate["score"],
                **{f"table {name}": v for name, v in candidate.get("table", {}).items()},
                "search (s)": candidate["search_seconds"],
                "training (s)": candidate["training_seconds"],
                **{name: v for name, v in (candidate["counts"] or {}).items()},
                "failed": candidate["reason"],
            }
        )
        space = candidate.get("space")
        if candidate.get("genotype") and space in SPACES:
            cells[candidate["name"]] = SPACES[space].from_dict(candidate["genotype"])
    parts = [paragraph(f"{ranking['dataset']}: {score}", note=True), heading("Candidates")]
    if not rows:
        parts.append(paragraph("No candidate has ended yet."))
    else:
        parts += [figures({"runs": sortable(rows, "the best first")}), *_cells(cells)]
    write_page(directory, f"study {directory.resolve().name}", parts)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "run": entry.name,
        "method": entry.method,
        "dataset": entry.dataset,
        "data": entry.data.digest,
        "seed": entry.seed,
        "epochs": entry.tuned.get("epochs"),  # of hyperband, whose trials differ in them
        entry.score: entry.value,
        f"test {entry.score}": entry.test,
        "scored by": entry.scored_by.partition(":")[0],
        "weights": entry.counts.get("weights"),
        "search (s)": entry.search_seconds and round(entry.search_seconds),
        "training (s)": entry.training_seconds and round(entry.training_seconds),
        "failed": entry.reason,
    }


def _cells(cells: Mapping[str, Genotype]) -> list[str]:
    """A slider over the runs of each space."""
    drawn = {}
    for space in dict.fromkeys(cell.space for cell in cells.values()):
        own = {name: cell for name, cell in cells.items() if cell.space == space}
        figure = cell_slider(list(own.values()), list(own), list(own), {}, "cell of ")
        drawn[f"cells_{len(drawn)}"] = figure
    return [heading("Cells"), figures(drawn)] if drawn else []


def _curves(entries: Sequence[Entry]) -> list[str]:
    """The scores, and what searches measured, over the epochs: a line for each run."""
    lines: dict[str, dict[str, Any]] = {}
    for entry in entries:
        history = [
            {**record, **record.get("monitors", {})}
            | {f"table/{name}": value for name, value in record.get("table", {}).items()}
            for record in entry.history
        ]
        monitors = dict.fromkeys(key for record in history for key in record if "/" in key)
        for key in (f"validation_{entry.score}", f"train_{entry.score}", "entropy", *monitors):
            line = points(history, key)
            if line[0]:
                lines.setdefault(key, {})[entry.name] = line
    panels = {
        f"curve_{i}": curves(key.replace("_", " "), own)
        for i, (key, own) in enumerate(lines.items())
    }
    return [heading("Curves"), figures(panels)] if panels else []
