"""Plots of a search, and figures as files.

Figures are made through matplotlib's objects: no global state, no window, no display needed.
"""

import io
import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from tf_darts.cells.topology import CellTopology
from tf_darts.errors import UserError
from tf_darts.report.figure_text import literal
from tf_darts.runtime.files import write_atomically

# Without dates and versions, equal figures are equal files.
_FORMATS = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_TITLE_SIZE = 11  # points
_GROUP_TITLES = {
    "skips": "skip connections",
    "eigenvalue": "λ: the largest eigenvalue of ∇²α L_val",
    "discretisation": "discretisation gap",
    "table": "looked-up scores",
}
_NEARLY_ALIKE = 0.1  # mixing weights of which two digits say little
_LEAST_RANGE = 0.01  # of an axis of entropies, as a part of them
_COLOURS = ("#1f6fb4", "#d1602a", "#3b8a4a", "#7a4fa3")


def _encode(figure: Figure, suffix: str) -> bytes:
    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "tf_darts"}):  # else its ids are random
        figure.savefig(stream, format=suffix[1:], dpi=150, metadata=_FORMATS[suffix])
    return stream.getvalue()


def figure_to_png(figure: Figure) -> bytes:
    """The figure as a PNG file's content; equal figures give equal bytes."""
    return _encode(figure, ".png")


def save_figure(figure: Figure, path: pathlib.Path | str) -> None:
    """Writes a figure, atomically, in the format of the path's suffix.

    Raises:
      UserError: the suffix is none of .png, .svg and .pdf.
      StorageError: the file cannot be written.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise UserError(f"{path}: pictures are written as {', '.join(_FORMATS)}; use one of these.")
    write_atomically(path, _encode(figure, suffix))


def by_operation(mixing: np.ndarray, topology: CellTopology) -> np.ndarray:
    """Mixing weights with a column for each operation of the cell; NaN where an edge has it not."""
    if not topology.by_edge:
        return mixing
    names = topology.all_operations
    table = np.full((topology.edges, len(names)), np.nan)
    for edge, weights in enumerate(mixing):
        table[edge, [names.index(name) for name in topology.operations_of(edge)]] = weights
    return table


def alpha_heatmap(
    mixing: np.ndarray, operations: Sequence[str], edge_names: Sequence[str], title: str = ""
) -> Figure:
    """The mixing weights of a cell: one row for each edge, one column for each operation.

    The strongest of each edge has a frame. Weights that are nearly alike have a third digit.

    Args:
      mixing: softmax weights [edges, operations], each in 0…1, or NaN where there is none.
      operations: the names of the columns.
      edge_names: the names of the rows, such as "0→3"; they may be formulas.
      title: what stands above.

    Raises:
      ValueError: the names are not as many as the rows and columns.
    """
    mixing = np.asarray(mixing)
    if mixing.shape != (len(edge_names), len(operations)):
        raise ValueError(
            f"mixing weights {mixing.shape} for {len(edge_names)} edges"
            f" and {len(operations)} operations"
        )
    rows, columns = mixing.shape
    width = max(1.5 + 0.72 * columns, _inches(title) + 0.3)
    figure = Figure(figsize=(width, 1.6 + 0.25 * rows), layout="constrained")
    axes = figure.add_subplot()
    # The scale is the same for every picture, so that epochs compare; the root spreads out the
    # small weights that all have at the start.
    image = axes.imshow(mixing, cmap="Blues", norm=PowerNorm(0.5, 0.0, 1.0), aspect="auto")
    names = [literal(name) for name in operations]
    axes.set_xticks(range(columns), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(rows), edge_names)
    axes.tick_params(length=0, labelsize=9)
    known = mixing[~np.isnan(mixing)]
    digits = 3 if known.size and np.ptp(known) < _NEARLY_ALIKE else 2
    for row, column in np.ndindex(rows, columns):
        weight = mixing[row, column]
        if np.isnan(weight):
            continue
        colour = "white" if image.norm(weight) > 0.65 else "#222222"
        text = axes.text(column, row, f"{weight:.{digits}f}", ha="center", va="center")
        text.set(size=8, color=colour, in_layout=False)  # inside the axes: a fifth of the time
        if weight == np.nanmax(mixing[row]) > np.nanmin(mixing[row]):
            place = column - 0.47, row - 0.45
            axes.add_patch(Rectangle(place, 0.94, 0.9, fill=False, color="#d1602a", linewidth=1.2))
    if title:
        figure.suptitle(literal(title), size=_TITLE_SIZE)
    return figure


def _inches(title: str) -> float:
    """The width of a title."""
    if not title:
        return 0.0
    path = TextPath((0, 0), literal(title), size=_TITLE_SIZE, prop=FontProperties())
    return float(path.get_extents().width) / 72


def group_title(group: str) -> str:
    """What the monitors GROUP/NAME of a group measure, as pictures and pages call it."""
    return _GROUP_TITLES.get(group, group.replace("_", " "))


def learning_curves(
    history: Sequence[Mapping[str, float | None]],
    scores: Mapping[str, str],
    *,
    score_name: str,
    entropies: Mapping[str, str] | None = None,
    monitors: Sequence[str] = (),
    levels: Mapping[str, tuple[str, float]] | None = None,
    baseline: tuple[str, float] | None = None,
    logarithmic: bool = False,
    title: str = "",
) -> Figure:
    """Scores by epoch and, where asked for, the entropy of α and what monitors say below them.

    A record without a key, or with None, leaves a gap in that curve.

    Args:
      history: the epochs' records, each with an "epoch".
      scores: the curves of the first panel, name to key, such as {"training": "train_ppl"}.
      score_name: what the scores are, such as "perplexity".
      entropies: the curves of the second panel, name to key; no panel without any.
      monitors: further curves, keys of the form GROUP/NAME, with a panel for each group; what is
        not measured in every epoch is one line all the same.
      levels: by key of such a curve, name and value of a horizontal line of its colour.
      baseline: name and value of a horizontal line in the first panel.
      logarithmic: whether the scores' axis is, as suits perplexities.
      title: what stands above.
    """
    groups = dict.fromkeys(key.partition("/")[0] for key in monitors)
    panels = 1 + bool(entropies) + len(groups)
    figure = Figure(figsize=(7, 2.9 * panels + 0.3), layout="constrained")
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    _curves(axes[0], history, scores)
    axes[0].set_ylabel(literal(score_name))
    if logarithmic:
        axes[0].set_yscale("log")
        axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes[0].yaxis.set_major_formatter("{x:g}")
        axes[0].yaxis.set_minor_locator(NullLocator())
    if baseline:
        name, value = baseline
        axes[0].axhline(value, color="#666666", linestyle="--", linewidth=1.0, label=literal(name))
    if entropies:
        _curves(axes[1], history, entropies)
        axes[1].set_ylabel("entropy of α (nats)")
        least, most = axes[1].get_ylim()
        missing = _LEAST_RANGE * abs(most) - (most - least)
        if missing > 0:  # what has hardly moved must not look as if it fell
            axes[1].set_ylim(least - missing / 2, most + missing / 2)
        axes[1].ticklabel_format(useOffset=False)  # it may hardly move
    for panel, group in zip(axes[panels - len(groups) :], groups, strict=True):
        members = [key for key in monitors if key.partition("/")[0] == group]
        for key in members:
            measured = [record for record in history if record.get(key) is not None]
            name, place = key.partition("/")[2] or key, members.index(key)
            _curves(panel, measured, {name: key}, place)
            if levels and key in levels:
                about, value = levels[key]
                style = {"color": _COLOURS[place % len(_COLOURS)], "linewidth": 1.0}
                panel.axhline(value, linestyle="--", label=literal(f"{name}, {about}"), **style)
        panel.set_ylabel(literal(group_title(group)))
        values = [record[key] for key in members for record in history if record.get(key)]
        if all(float(value).is_integer() for value in values):  # they are counted
            panel.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    for panel in axes:
        _legend(panel)
    figure.align_ylabels()
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if title:
        figure.suptitle(literal(title), size=_TITLE_SIZE)
    return figure


def _legend(panel: Axes) -> None:
    """In the panel, or above it where many names would lie on the curves."""
    names = len(panel.get_legend_handles_labels()[1])
    style = {"frameon": False, "fontsize": 9}
    if names > 4:
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
        panel.legend(ncols=-(-names // 2), **place, **style)
    else:
        panel.legend(**style)


def _curves(
    axes: Axes,
    history: Sequence[Mapping[str, float | None]],
    keys: Mapping[str, str],
    first_colour: int = 0,
) -> None:
    epochs = [record["epoch"] for record in history]
    for i, (name, key) in enumerate(keys.items(), start=first_colour):
        values = [record.get(key) for record in history]
        points = [np.nan if value is None else value for value in values]
        colour = _COLOURS[i % len(_COLOURS)]
        style = {"linewidth": 1.5, "color": colour, "label": literal(name)}
        axes.plot(epochs, points, marker="o", markersize=3, **style)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
