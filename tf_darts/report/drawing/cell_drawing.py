"""Drawings of cells in the manner of the paper's figures 4 to 6."""

import functools

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.textpath import TextPath

from tf_darts.cells.genotype import Genotype
from tf_darts.report.drawing.cell_graph import Cell, cells_of
from tf_darts.report.drawing.cell_layout import Layout, Route, lay_out
from tf_darts.report.figure_text import literal

_FONT_SIZE = 12.0
_TITLE_SIZE = 15.0
_NODE_WIDTH = 27.0
_MARGIN = 10.0
_TITLE_HEIGHT = 28.0
_INK = "#333333"
_LINE = "#5c6770"
_FILL = {"input": "#c8e6c0", "node": "#b9d9f2", "output": "#f7e39c"}


@functools.cache
def _text_width(text: str, size: float) -> float:
    return float(TextPath((0, 0), text, size=size, prop=FontProperties()).get_extents().width)


@functools.lru_cache(maxsize=512)  # it takes most of the time of a drawing
def lay_out_cell(cell: Cell) -> Layout:
    """Boxes and curves of a cell, in points."""
    width_of = dict.fromkeys(_FILL, _NODE_WIDTH)  # by kind: alike nodes look alike
    for kind, text in cell.nodes:
        width_of[kind] = max(width_of[kind], _text_width(text, _FONT_SIZE + 1) + 14)
    widths = [width_of[kind] for kind, _ in cell.nodes]
    return lay_out(widths, cell.arrows, lambda label: _text_width(literal(label), _FONT_SIZE) + 8)


def draw_genotype(genotype: Genotype, title: str = "") -> Figure:
    """Draws a genotype: inputs left, numbered nodes, operations on the arrows, output right.

    Each kind of cell has a panel, of a convolutional genotype the normal cell above the reduction
    cell. The numbers of nodes leave out the inputs, as in the paper.
    """
    cells = cells_of(genotype)
    layouts = [lay_out_cell(cell) for cell in cells]
    heads = [_TITLE_HEIGHT if cell.title else 0.0 for cell in cells]
    widths = [layout.width for layout in layouts]
    if title:
        widths.append(_text_width(literal(title), _TITLE_SIZE))
    width = max(widths) + 2 * _MARGIN
    title_height = _TITLE_HEIGHT if title else 0.0
    height = title_height + sum(
        layout.height + (head or _MARGIN) + _MARGIN
        for layout, head in zip(layouts, heads, strict=True)
    )
    # One unit of the axes is one point, so text, boxes and curves keep the sizes of the layout.
    figure = Figure(figsize=(width / 72, height / 72), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    top = height - title_height
    if title:
        axes.text(width / 2, top + 5, literal(title), ha="center", size=_TITLE_SIZE, color=_INK)
    for cell, layout, head in zip(cells, layouts, heads, strict=True):
        if head:
            style = {"ha": "center", "size": _FONT_SIZE + 1, "color": _INK}
            axes.text(width / 2, top - 15, literal(cell.title), **style)
        top -= (head or _MARGIN) + layout.height
        _draw(axes, cell, layout, ((width - layout.width) / 2, top))
        top -= _MARGIN
    return figure


def _draw(axes: Axes, cell: Cell, layout: Layout, origin: tuple[float, float]) -> None:
    """Draws a cell with its lower left corner at `origin`."""
    for route in layout.routes:
        _draw_arrow(axes, route, origin)
    dx, dy = origin
    for box, (kind, text) in zip(layout.boxes, cell.nodes, strict=True):
        corner = (box.x - box.width / 2 + dx, box.y - box.height / 2 + dy)
        style = "round,pad=0,rounding_size=7"
        patch = FancyBboxPatch(corner, box.width, box.height, boxstyle=style, zorder=2)
        patch.set(facecolor=_FILL[kind], edgecolor=_INK, linewidth=1.0)
        axes.add_patch(patch)
        _write(axes, (box.x + dx, box.y + dy), text, _FONT_SIZE + 1)


def _draw_arrow(axes: Axes, route: Route, origin: tuple[float, float]) -> None:
    dx, dy = origin
    path = Path(
        [(x + dx, y + dy) for x, y in route.curve],
        [Path.MOVETO] + [Path.CURVE4] * (len(route.curve) - 1),
    )
    head = "-|>,head_length=5,head_width=2.2"
    arrow = FancyArrowPatch(path=path, arrowstyle=head, mutation_scale=1.0, zorder=1)
    arrow.set(color=_LINE, linewidth=1.1)
    axes.add_patch(arrow)
    if route.label_box:
        centre = (route.label_box.x + dx, route.label_box.y + dy)
        text = _write(axes, centre, literal(route.arrow.label), _FONT_SIZE)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})


def _write(axes: Axes, centre: tuple[float, float], text: str, size: float) -> Text:
    return axes.text(*centre, text, size=size, color=_INK, ha="center", va="center", zorder=3)
