"""What searches measured besides their scores: entropy, skip connections, rules' monitors."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tf_darts.report.candidate_rows import is_number
from tf_darts.report.entries import Entry
from tf_darts.report.figure_text import literal
from tf_darts.report.ranking_plot import colours

_ENTROPY = "entropy of α"


def monitor_rows(entries: Sequence[Entry]) -> list[dict[str, str]]:
    """A row for each entry with records of a search.

    It has each monitor at the first and the last epoch that measured it, and, where it was smaller
    or larger on the way, its range; in spaces of which the right answer is known also how much of
    it the cell has.
    """
    rows = []
    for entry in entries:
        lines = _lines(entry)
        if lines:
            row = {"search": entry.name, "epochs": str(entry.history[-1]["epoch"])}
            row |= {name: _ends(points) for name, points in lines.items()}
            rows.append(row | {"answer": str(entry.answer or "")})
    return rows


def monitor_curves(entries: Sequence[Entry]) -> Figure | None:
    """A panel for each monitor, over the epochs, with a line for each entry; None without any."""
    lines = [(entry.method, _lines(entry)) for entry in entries]
    names = list(dict.fromkeys(name for _, own in lines for name in own))
    if not names:
        return None
    colour = colours([entry.method for entry in entries])
    size = 7, 1.2 + 1.9 * len(names)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for name, panel in zip(names, panels, strict=True):
        for method, own in lines:
            if name in own:
                style = {"color": colour[method], "linewidth": 1.3, "alpha": 0.8}
                panel.plot(*zip(*own[name], strict=True), "o-", markersize=3, **style)
        panel.set_title(literal(name), fontsize=10, loc="left")
        panel.grid(color="#e4e4e4", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
        values = [value for _, own in lines for _, value in own.get(name, ())]
        if all(float(value).is_integer() for value in values):
            panel.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(
        MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    )
    methods = dict.fromkeys(method for method, own in lines if own)
    handles = [panels[0].plot([], [], color=colour[method])[0] for method in methods]
    names = [literal(method) for method in methods]
    figure.legend(handles, names, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def _lines(entry: Entry) -> dict[str, list[tuple[int, float]]]:
    """(epoch, value) by monitor."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for record in entry.history:
        measured: Mapping[str, Any] = record.get("monitors") or {}
        for name, value in {_ENTROPY: record.get("entropy"), **measured}.items():
            if is_number(value):
                lines.setdefault(name, []).append((record["epoch"], value))
    return lines


def _ends(points: Sequence[tuple[int, float]]) -> str:
    values = [value for _, value in points]
    ends, extremes = (values[0], values[-1]), (min(values), max(values))
    if len(values) == 1:
        return f"{values[0]:.4g}"
    between = "" if extremes == tuple(sorted(ends)) else " ({:.4g} to {:.4g})".format(*extremes)
    return f"{ends[0]:.4g} → {ends[1]:.4g}{between}"
