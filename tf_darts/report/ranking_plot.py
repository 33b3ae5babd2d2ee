"""The plot of a ranking: every candidate a point, in a column for its source."""

import textwrap
from collections.abc import Iterable

from matplotlib.figure import Figure

from tf_darts.config import method_names
from tf_darts.report.figure_text import literal
from tf_darts.report.statistics import scores_by_source, summarise

_COLOURS = {"random": "#8a8a8a"}
_EXTRA_COLOURS = ("#c2477f", "#2a9d9d", "#5b5bd6", "#8c564b", "#333333")
_LISTED = 6  # failed candidates; the tables have all


def colours(sources: Iterable[str]) -> dict[str, str]:
    """A colour for each source; the usual sources have the same in every picture."""
    usual = _COLOURS | method_names.colours()
    unusual = [source for source in dict.fromkeys(sources) if source not in usual]
    extra = {s: _EXTRA_COLOURS[i % len(_EXTRA_COLOURS)] for i, s in enumerate(unusual)}
    return usual | extra


def ranking_plot(ranking: dict) -> Figure:
    """The scores of the candidates by source; of two or more, with mean and standard deviation.

    Failed candidates are listed below.
    """
    failed = [c for c in ranking["candidates"] if c["status"] == "failed"]
    by_source = scores_by_source(ranking["candidates"], ranking["score_mode"])
    scores = {source: values for source, values in by_source.items() if values}
    width = max(5.0, 1.4 + 1.25 * len(scores))
    figure = Figure(figsize=(width, 4.2), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    colour = colours(scores)
    for place, (source, values) in enumerate(scores.items()):
        summary = summarise(values, ranking["score_mode"])
        spread = [
            place + 0.16 * (i - (len(values) - 1) / 2) / len(values) for i in range(len(values))
        ]
        axes.plot(spread, values, "o", color=colour[source], markersize=5, alpha=0.75)
        if len(values) == 1:
            continue  # it has no deviation, and is its own mean
        axes.errorbar(
            place + 0.26,
            summary.mean,
            yerr=summary.deviation,
            fmt="_",
            color=colour[source],
            markersize=14,
            markeredgewidth=2,
            capsize=4,
        )
    labels = [f"{literal(_broken(source))}\nn = {len(v)}" for source, v in scores.items()]
    axes.set_xticks(range(len(scores)), labels, fontsize=9)
    axes.set_xlim(-0.5, max(len(scores), 1) - 0.4)
    better = {"min": "lower", "max": "higher"}[ranking["score_mode"]]
    kind = "table" if "table" in ranking else "validation"
    axes.set_ylabel(literal(f"{kind} {ranking['score']} ({better} is better)"))
    bars = ", bars mean ± std" if any(len(values) > 1 for values in scores.values()) else ""
    title = f"{ranking['dataset']}: points are candidates{bars}"
    axes.set_title(literal(title), fontsize=10)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if not scores:
        axes.text(0.5, 0.5, "no candidate completed", ha="center", transform=axes.transAxes)
        axes.set_yticks([])
    if failed:
        figure.supxlabel(
            literal(_failures(failed, int(width * 14))),
            fontsize=8,
            color="#a02020",
            x=0.02,
            ha="left",
        )
    return figure


def _broken(label: str) -> str:
    """A label in several lines."""
    return label.replace(", ", "\n").replace("_", "\n")


def _failures(failed: list[dict], characters: int) -> str:
    lines = [
        textwrap.shorten(f"failed: {c['name']} ({c['reason']})", characters, placeholder=" …")
        for c in failed[:_LISTED]
    ]
    if len(failed) > _LISTED:
        lines.append(f"and {len(failed) - _LISTED} more failed")
    return "\n".join(lines)
