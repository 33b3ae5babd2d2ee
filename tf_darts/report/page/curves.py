"""Curves over the epochs, as figures of plotly."""

from collections.abc import Mapping, Sequence
from typing import Any

from tf_darts.report.candidate_rows import is_number
from tf_darts.report.page.cell_slider import Weights
from tf_darts.report.page.document import FONT, INK, WIDTH, Figure, escaped

COLOURS = ("#1f6fb4", "#d1602a", "#3b8a4a", "#7a4fa3", "#b23a6f", "#7d6b3d", "#2f9ca0", "#555555")

Record = Mapping[str, Any]
Points = tuple[list[int], list[float]]


def points(history: Sequence[Record], key: str) -> Points:
    """The epochs whose records have such a number, and the numbers."""
    own = [(r["epoch"], r[key]) for r in history if is_number(r.get(key))]
    return [epoch for epoch, _ in own], [float(f"{value:.6g}") for _, value in own]


def curves(
    title: str,
    lines: Mapping[str, Points],
    levels: Mapping[str, float] | None = None,
    *,
    logarithmic: bool = False,
) -> Figure:
    """A panel, two of which fit in a row.

    Args:
      title: stands above it.
      lines: by name.
      levels: dashed horizontal lines, by name.
      logarithmic: whether the vertical axis is.
    """
    data = [
        {
            "type": "scatter", "mode": "lines+markers" if len(x) < 80 else "lines",
            "name": escaped(name), "x": x, "y": y, "marker": {"size": 4},
            "line": {"width": 1.7, "color": COLOURS[i % len(COLOURS)]},
            "hovertemplate": "epoch %{x}: %{y}",
        }
        for i, (name, (x, y)) in enumerate(lines.items())
    ]  # fmt: skip
    ends = [epoch for x, _ in lines.values() for epoch in x] or [1]
    data += [
        {
            "type": "scatter", "mode": "lines", "name": escaped(name), "x": [min(ends), max(ends)],
            "y": [value, value], "line": {"width": 1.2, "dash": "dash", "color": "#777777"},
        }
        for name, value in (levels or {}).items()
    ]  # fmt: skip
    layout = _layout(title, len(data), max(ends))
    if logarithmic:
        layout["yaxis"]["type"] = "log"
    return {"data": data, "layout": layout}


def weights_by_edge(title: str, weights: Weights, epochs: Sequence[int]) -> Figure:
    """The mixing weights of one edge over the epochs; which one is chosen from a list."""

    def lines(edge: int) -> list[list[float | None]]:
        return [
            [frame[edge][o] for frame in weights.frames] for o in range(len(weights.operations))
        ]

    data = [
        {
            "type": "scatter", "mode": "lines", "name": escaped(name), "x": list(epochs), "y": y,
            "line": {"width": 1.7, "color": COLOURS[i % len(COLOURS)]},
            "hovertemplate": "epoch %{x}: %{y:.4f}",
        }
        for i, (name, y) in enumerate(zip(weights.operations, lines(0), strict=True))
    ]  # fmt: skip
    layout = _layout(title, len(data), max(epochs))
    buttons = [
        {"label": f"edge {escaped(name)}", "method": "restyle", "args": [{"y": lines(edge)}]}
        for edge, name in enumerate(weights.edges)
    ]
    layout["updatemenus"] = [
        {"buttons": buttons, "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}
    ]
    return {"data": data, "layout": layout}


def _layout(title: str, names: int, epochs: int) -> dict[str, Any]:
    legend = 20 * -(-names // 2)
    grid = {"gridcolor": "#e4e4e4", "zeroline": False, "linecolor": "#999999"}
    return {
        "width": (WIDTH - 10) // 2,
        "height": 300 + legend,
        "margin": {"l": 60, "r": 15, "t": 44, "b": 60 + legend},
        "font": {"family": FONT, "color": INK, "size": 11},
        "title": {"text": escaped(title), "font": {"size": 14}, "x": 0.02},
        "plot_bgcolor": "white",
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.16, "yanchor": "top", "x": 0, "entrywidth": 190},
        "xaxis": {"title": {"text": "epoch", "standoff": 4}, **grid} | _ticks(epochs),
        "yaxis": {**grid},
    }


def _ticks(epochs: int) -> dict[str, Any]:
    """At whole epochs only."""
    return {"dtick": 1} if epochs <= 12 else {}
