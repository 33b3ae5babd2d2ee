"""The plots of a report: score against search cost (the paper's Figure 3), learning curves."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tf_darts.benchmarks import CellTable
from tf_darts.cells.genotype import genotype_class
from tf_darts.report.entries import Entry
from tf_darts.report.figure_text import literal
from tf_darts.report.ranking_plot import colours
from tf_darts.report.statistics import summarise

# Seconds in a unit of search cost: the largest is taken that the longest search fills.
_UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


def cost_plot(
    entries: Sequence[Entry], reference: Sequence[float], reference_name: str
) -> Figure | None:
    """Validation scores of the cells that searches held, trained from scratch, by search cost.

    Args:
      entries: those with snapshots make a line each.
      reference: scores of other cells after the same training, drawn as their best and as a band
        of mean ± standard deviation; may be empty.
      reference_name: what they are.

    Returns:
      None where no entry has snapshots.
    """
    lines = [entry for entry in entries if entry.snapshots]
    if not lines:
        return None
    longest = max(point["search_seconds"] for entry in lines for point in entry.snapshots)
    unit, seconds = next((u for u in _UNITS if longest >= u[1]), _UNITS[-1])
    figure, axes = _axes(lines[0])
    colour = colours([entry.method for entry in lines])
    for entry in lines:
        costs = [point["search_seconds"] / seconds for point in entry.snapshots]
        scores = [point["score"] for point in entry.snapshots]
        style = {"color": colour[entry.method], "label": literal(entry.method)}
        axes.plot(costs, scores, "o-", markersize=4, **style)
    if reference:
        summary = summarise(reference, lines[0].score_mode)
        grey = colours([reference_name])[reference_name]
        name = literal(reference_name)
        axes.axhline(summary.mean, color=grey, linewidth=1.2, label=f"{name}, mean ± std")
        if summary.deviation:
            low, high = summary.mean - summary.deviation, summary.mean + summary.deviation
            axes.axhspan(low, high, color=grey, alpha=0.2, linewidth=0)
        best = f"{name}, best of {summary.n}"
        axes.axhline(summary.best, color=grey, linewidth=1.2, linestyle="--", label=best)
    axes.set_xlabel(f"search cost (device-{unit})")
    axes.set_xlim(left=0)
    _legend(axes)
    return figure


def overlaid_curves(entries: Sequence[Entry]) -> Figure | None:
    """Validation scores by epoch, a line an entry; None where no entry has any."""
    key = f"validation_{entries[0].score}"
    lines = [e for e in entries if any(record.get(key) is not None for record in e.history)]
    if not lines:
        return None
    figure, axes = _axes(lines[0])
    colour = colours([entry.method for entry in lines])
    for entry in lines:
        points = [(r["epoch"], r[key]) for r in entry.history if r.get(key) is not None]
        style = {"color": colour[entry.method], "label": literal(entry.method), "linewidth": 1.3}
        axes.plot(*zip(*points, strict=True), "o-", markersize=3, alpha=0.8, **style)
    if lines[0].score_mode == "min":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(which="minor", labelsize=8)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    _legend(axes)
    return figure


def looked_up_curves(entries: Sequence[Entry], table: CellTable, column: str) -> Figure | None:
    """The scores in a table of the cells that searches held, by epoch, a line an entry.

    A dashed line is the level of the cell that failed searches end in.

    Args:
      entries: those with records of cells that the table has make a line each.
      table: where the cells are looked up; the records need not have been.
      column: of the table.

    Returns:
      None where no entry has such records.
    """
    lines = []
    for entry in entries:
        if entry.cell is None or entry.cell.space != table.space:
            continue
        cells = [(r["epoch"], r["genotype"]) for r in entry.history if "genotype" in r]
        held = [(epoch, genotype_class(table.space).from_dict(cell)) for epoch, cell in cells]
        points = [(epoch, table.query(cell)[column]) for epoch, cell in held if table.has(cell)]
        if points:
            lines.append((entry.method, points))
    if not lines:
        return None
    figure, axes = _axes(entries[0])
    axes.set_ylabel(literal(f"{column} in the table"))
    colour = colours([method for method, _ in lines])
    for method, points in lines:
        style = {"color": colour[method], "label": literal(method), "linewidth": 1.3}
        axes.plot(*zip(*points, strict=True), "o-", markersize=3, alpha=0.8, **style)
    if column in table.collapse():
        level = table.collapse()[column]
        axes.axhline(level, color="#666666", linestyle="--", label=literal(table.form.collapse))
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    _legend(axes)
    return figure


def _axes(entry: Entry) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4.2), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set_ylabel(literal(f"validation {entry.score}"))
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _legend(axes: Axes) -> None:
    """One line for each source, however many entries it has."""
    handles, labels = axes.get_legend_handles_labels()
    handle_by_label = dict(zip(reversed(labels), reversed(handles), strict=True))
    names = sorted(handle_by_label, key=labels.index)
    axes.legend([handle_by_label[name] for name in names], names, frameon=False, fontsize=9)
