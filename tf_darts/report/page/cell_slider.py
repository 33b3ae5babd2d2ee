"""Cells one after another under a slider, beside their mixing weights, as a figure of plotly."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tf_darts.cells.genotype import Genotype
from tf_darts.report.drawing.cell_drawing import lay_out_cell
from tf_darts.report.drawing.cell_graph import Cell, cells_of
from tf_darts.report.drawing.cell_layout import Box, Layout, Route
from tf_darts.report.page.document import FONT, INK, WIDTH, Figure, escaped

_LINE = "#5c6770"
_FILL = {"input": "#c8e6c0", "node": "#b9d9f2", "output": "#f7e39c"}
_LARGEST = 1.25  # pixels for a point of the drawing
_HEAD = 30  # above each drawing, pixels
_GAP = 52  # below it, for the names of the operations
_SLIDER = 90  # below all
_ROW = 17  # of a heat map, pixels
_LABELS = 70  # left of a heat map: the names of the edges
_HEAT = 330  # a heat map, its scale of colours not counted
_RIGHT = 60  # the scale of colours
_AREA = WIDTH - 10 - _RIGHT


class Weights(NamedTuple):
    """The mixing weights of a kind of cell.

    Attributes:
      edges, operations: the names of rows and columns.
      frames: the weights [frame][edge][operation]; None where an edge has not the operation.
    """

    edges: Sequence[str]
    operations: Sequence[str]
    frames: Sequence[Sequence[Sequence[float | None]]]


def cell_slider(
    genotypes: Sequence[Genotype],
    labels: Sequence[str],
    titles: Sequence[str],
    weights: Mapping[str, Weights],
    prefix: str,
) -> Figure:
    """The figure; it shows the last cell first.

    Args:
      genotypes: at least one, all of one space.
      labels: what the slider says of each.
      titles: what stands above each.
      weights: by kind of cell; {} where there are none.
      prefix: stands before the slider's label, such as "epoch ".
    """
    layouts: dict[Genotype, list[tuple[Cell, Layout]]] = {}
    for genotype in genotypes:  # most stay the same for many epochs
        if genotype not in layouts:
            layouts[genotype] = [(cell, lay_out_cell(cell)) for cell in cells_of(genotype)]
    drawn = [layouts[genotype] for genotype in genotypes]
    room = _AREA - (_LABELS + _HEAT if weights else 0)
    widest = max(layout.width for cells in drawn for _, layout in cells)
    scale = min(_LARGEST, (room - 2) / widest)  # a line at the edge is half outside
    kinds = list(genotypes[0].cells)
    heights = []
    for i, kind in enumerate(kinds):
        tallest = max(cells[i][1].height for cells in drawn) * scale
        rows = len(weights[kind].edges) * _ROW if kind in weights else 0
        heights.append(max(tallest, rows))
    places = _places(heights)
    total = places[-1] + heights[-1] + _GAP
    layout = _empty_layout(total)
    data: list[dict[str, Any]] = []
    for i, height in enumerate(heights):
        low, high = 1 - (places[i] + height) / total, 1 - places[i] / total
        plain = {"visible": False, "fixedrange": True}
        layout[f"xaxis{2 * i + 1}"] = {
            "domain": [0, room / _AREA],
            "range": [0, room],
            "anchor": f"y{2 * i + 1}",
            **plain,
        }
        layout[f"yaxis{2 * i + 1}"] = {
            "domain": [low, high + _HEAD / total],
            "range": [0, height + _HEAD],
            "anchor": f"x{2 * i + 1}",
            **plain,
        }
        axes = {"xaxis": f"x{2 * i + 1}", "yaxis": f"y{2 * i + 1}"}
        data.append(
            {"type": "scatter", "x": [0], "y": [0], "opacity": 0, "hoverinfo": "skip"} | axes
        )
    heat_traces = []
    for i, kind in enumerate(kinds):
        if kind not in weights:
            continue
        heat_traces.append(len(data))
        own = weights[kind]
        largest = max(w for f in own.frames for row in f for w in row if w is not None)
        domain = [1 - (places[i] + heights[i]) / total, 1 - places[i] / total]
        left = (room + _LABELS) / _AREA
        layout[f"xaxis{2 * i + 2}"] = {
            "domain": [left, left + _HEAT / _AREA],
            "anchor": f"y{2 * i + 2}",
            "fixedrange": True,
            "tickfont": {"size": 10},
            "tickangle": -30,
        }
        layout[f"yaxis{2 * i + 2}"] = {
            "domain": domain,
            "anchor": f"x{2 * i + 2}",
            "fixedrange": True,
            "autorange": "reversed",
            "tickfont": {"size": 10},
            "dtick": 1,
        }
        bar = {"thickness": 10, "len": heights[i] / total, "yanchor": "top", "x": 1.0}
        bar |= {"y": domain[1], "tickfont": {"size": 10}}
        data.append(
            {
                "type": "heatmap", "z": own.frames[-1], "x": [escaped(o) for o in own.operations],
                "y": [escaped(e) for e in own.edges], "zmin": 0, "zmax": largest,
                "colorscale": "Viridis", "colorbar": bar, "xgap": 1, "ygap": 1,
                "hovertemplate": "%{y}, %{x}: %{z:.4f}<extra></extra>",
                "xaxis": f"x{2 * i + 2}", "yaxis": f"y{2 * i + 2}",
            }
        )  # fmt: skip
    frames = []
    for cells, title in zip(drawn, titles, strict=True):
        shapes, annotations = [], []
        for i, (cell, own) in enumerate(cells):
            origin = (room - own.width * scale) / 2, (heights[i] - own.height * scale) / 2
            artist = _Artist(i, origin, scale)
            shapes += artist.shapes(cell, own)
            annotations += artist.annotations(cell, own)
            if cell.title:
                annotations.append(artist.text(room / 2, heights[i] + 14, cell.title, 13))
            if kinds[i] in weights:
                annotations.append(_heat_title(i, heights[i]))
        frames.append({"title.text": escaped(title), "shapes": shapes, "annotations": annotations})
    layout["shapes"], layout["annotations"] = frames[-1]["shapes"], frames[-1]["annotations"]
    layout["title"]["text"] = frames[-1]["title.text"]
    steps = [
        {
            "label": escaped(label),
            "method": "update" if heat_traces else "relayout",
            "args": [
                {"z": [weights[kind].frames[n] for kind in kinds if kind in weights]},
                frame,
                heat_traces,
            ]
            if heat_traces
            else [frame],
        }
        for n, (label, frame) in enumerate(zip(labels, frames, strict=True))
    ]
    layout["sliders"] = [
        {
            "active": len(steps) - 1,
            "currentvalue": {"prefix": prefix, "font": {"size": 14}},
            "x": 0.04,
            "len": 0.92,
            "pad": {"t": 20},
            "steps": steps,
        }
    ]
    return {"data": data, "layout": layout}


def _places(heights: Sequence[float]) -> list[float]:
    """The distance of each drawing from the top."""
    places, top = [], float(_HEAD)
    for height in heights:
        places.append(top)
        top += height + _GAP + _HEAD
    return places


def _empty_layout(height: float) -> dict[str, Any]:
    return {
        "width": WIDTH,
        "height": round(height + 40 + _SLIDER),
        "margin": {"l": 10, "r": _RIGHT, "t": 40, "b": _SLIDER},
        "font": {"family": FONT, "color": INK, "size": 12},
        "title": {"font": {"size": 15}, "x": 0.5, "y": 0.99, "yanchor": "top"},
        "plot_bgcolor": "white",
        "paper_bgcolor": "white",
        "showlegend": False,
    }


def _heat_title(i: int, height: float) -> dict[str, Any]:
    return {
        "xref": f"x{2 * i + 2} domain", "yref": f"y{2 * i + 1}", "x": 0.5, "y": height + 14,
        "text": "mixing weights", "showarrow": False, "font": {"size": 13},
    }  # fmt: skip


def _label(text: str) -> str:
    """A text of the drawing, which may be a formula such as `$c_{k-2}$`."""
    if not (text.startswith("$") and text.endswith("$")):
        return escaped(text)
    return re.sub(r"_(?:\{(.*?)\}|(\w))", r"<sub>\1\2</sub>", escaped(text.strip("$")))


class _Artist:
    """Draws the `i`-th kind of cell, `origin` and `scale` in pixels."""

    def __init__(self, i: int, origin: tuple[float, float], scale: float) -> None:
        self._refs = {"xref": f"x{2 * i + 1}", "yref": f"y{2 * i + 1}"}
        self._origin, self._scale = origin, scale

    def shapes(self, cell: Cell, layout: Layout) -> list[dict[str, Any]]:
        """Arrows, and the boxes upon them."""
        lines = " ".join(self._curve(route) for route in layout.routes)
        heads = " ".join(self._arrow_head(route) for route in layout.routes)
        shapes = []
        if layout.routes:
            shapes.append(self._shape(lines, line={"color": _LINE, "width": 1.2}))
            shapes.append(self._shape(heads, fillcolor=_LINE, line={"width": 0}))
        for kind, colour in _FILL.items():
            own = [b for b, (k, _) in zip(layout.boxes, cell.nodes, strict=True) if k == kind]
            path = " ".join(self._box(box) for box in own)
            if path:
                shapes.append(self._shape(path, fillcolor=colour, line={"color": INK, "width": 1}))
        return shapes

    def annotations(self, cell: Cell, layout: Layout) -> list[dict[str, Any]]:
        """The texts of nodes and arrows."""
        texts = []
        for route in layout.routes:
            if route.label_box:
                centre = self._at((route.label_box.x, route.label_box.y))
                text = self.text(*centre, route.arrow.label, 12 * self._scale)
                texts.append(text | {"bgcolor": "white", "borderpad": 1})
        for box, (_, text) in zip(layout.boxes, cell.nodes, strict=True):
            texts.append(self.text(*self._at((box.x, box.y)), text, 13 * self._scale))
        return texts

    def text(self, x: float, y: float, text: str, size: float) -> dict[str, Any]:
        """A text around a place in pixels."""
        place = {"x": round(x, 1), "y": round(y, 1), "text": _label(text), "showarrow": False}
        return place | self._refs | {"font": {"size": round(size, 1)}}

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        return tuple(o + self._scale * float(p) for o, p in zip(self._origin, point, strict=True))

    def _written(self, point: tuple[float, float]) -> str:
        x, y = self._at(point)
        return f"{x:.1f},{y:.1f}"

    def _shape(self, path: str, **style: Any) -> dict[str, Any]:
        return {"type": "path", "path": path, "layer": "below"} | self._refs | style

    def _curve(self, route: Route) -> str:
        start, *rest = (self._written(point) for point in route.curve)
        pieces = [f"C {' '.join(rest[i : i + 3])}" for i in range(0, len(rest), 3)]
        return f"M {start} {' '.join(pieces)}"

    def _arrow_head(self, route: Route) -> str:
        (x0, y0), (x, y) = route.curve[-2], route.curve[-1]
        length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5 or 1.0
        dx, dy = (x - x0) / length, (y - y0) / length
        back = x - 7 * dx, y - 7 * dy
        left = back[0] - 3 * dy, back[1] + 3 * dx
        right = back[0] + 3 * dy, back[1] - 3 * dx
        return f"M {self._written((x, y))} L {self._written(left)} L {self._written(right)} Z"

    def _box(self, box: Box) -> str:
        left, right = box.x - box.width / 2, box.x + box.width / 2
        low, high, r = box.y - box.height / 2, box.y + box.height / 2, 7
        corners = (
            ((left + r, low), (right - r, low), (right, low), (right, low + r)),
            ((right, low + r), (right, high - r), (right, high), (right - r, high)),
            ((right - r, high), (left + r, high), (left, high), (left, high - r)),
            ((left, high - r), (left, low + r), (left, low), (left + r, low)),
        )
        path = f"M {self._written(corners[0][0])}"
        for _, to, corner, end in corners:
            path += f" L {self._written(to)} Q {self._written(corner)} {self._written(end)}"
        return path + " Z"
