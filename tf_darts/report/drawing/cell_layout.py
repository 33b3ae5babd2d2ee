"""Where things go in the drawing of a cell: a layered layout, left to right.

`cell_slots` gives every node, label and arrow its slot in the columns, no two slots of a column
overlapping: so no label meets another label, and no arrow need run through a node. Here the columns
get their widths and the arrows their curves. Lengths are in points, y grows upwards, and nothing
here knows what draws it.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tf_darts.report.drawing.cell_slots import Arrow, Slots, best_heights

Point = tuple[float, float]

_BENDS = 22.0, 46.0  # between two columns, where arrows change their height: least and most
_STEEPEST = 2.5  # a bend is wider for arrows that change their height by more than this times it
_PORT_STEP = 7.0  # between two arrows at the same side of a node
_CORNER = 7.0  # no arrows at the round corners of a node
_TURN = 48.0  # arrows longer than two turns are nearly straight in between
_CLEARANCE = 4.0  # between an arrow and what does not belong to it
_NODE_HEIGHT = 27.0


@dataclasses.dataclass(frozen=True)
class Box:
    """An upright rectangle around the centre (x, y)."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, box: "Box", margin: float = 0.0) -> bool:
        """Whether the boxes come nearer to each other than `margin`."""
        return (
            abs(self.x - box.x) < (self.width + box.width) / 2 + margin
            and abs(self.y - box.y) < (self.height + box.height) / 2 + margin
        )


@dataclasses.dataclass(frozen=True)
class Route:
    """How an arrow runs.

    Attributes:
      arrow: what is drawn.
      curve: the 3·n + 1 vertices of n cubic Bézier pieces.
      label_box: the room of the label; None without one.
    """

    arrow: Arrow
    curve: tuple[Point, ...]
    label_box: Box | None


@dataclasses.dataclass(frozen=True)
class Layout:
    """A drawing with its lower left corner at (0, 0): `boxes` by node, `routes` by arrow."""

    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


@dataclasses.dataclass(frozen=True)
class _Stop:
    """Where an arrow passes a column: level from `left` to `right`, unless it is not `needed`."""

    left: float
    right: float
    y: float
    needed: bool = False


def points_of(curve: Sequence[Point], steps: int = 12) -> np.ndarray:
    """Points [pieces · steps, 2] along a curve as `Route` has it."""
    vertices = np.asarray(curve)
    t = np.linspace(0, 1, steps)[:, None]
    pieces = [vertices[i : i + 4] for i in range(0, len(vertices) - 1, 3)]
    return np.concatenate(
        [
            (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
            for a, b, c, d in pieces
        ]
    )


def inside(points: np.ndarray, boxes: Sequence[Box], margin: float = 0.0) -> bool:
    """Whether any of the points [n, 2] lies in a box grown by `margin`."""
    if not boxes:
        return False
    centres = np.array([(box.x, box.y) for box in boxes])
    halves = np.array([(box.width, box.height) for box in boxes]) / 2 + margin
    return bool((np.abs(points[:, None] - centres) < halves).all(-1).any())


def _slope(previous: _Stop, stop: _Stop, following: _Stop) -> float:
    """Of a curve at a stop: level at a wide one and at a summit, or else as its neighbours ask."""
    if stop.right > stop.left:
        return 0.0
    rise = (stop.y - previous.y) / (stop.left - previous.right)
    following_rise = (following.y - stop.y) / (following.left - stop.right)
    if rise * following_rise <= 0:
        return 0.0
    return 2 * rise * following_rise / (rise + following_rise)


def _curve(stops: Sequence[_Stop]) -> tuple[Point, ...]:
    """Level at the ends, an S from each stop to the next."""
    slopes = [0.0, *map(_slope, stops, stops[1:], stops[2:]), 0.0]
    curve: list[Point] = [(stops[0].right, stops[0].y)]
    for stop, slope_before, slope in zip(stops[1:], slopes, slopes[1:], strict=False):
        x, y = curve[-1]
        turn = min((stop.left - x) / 2, _TURN)
        curve.append((x + turn, y + slope_before * turn))
        curve += [(stop.left - turn, stop.y - slope * turn), (stop.left, stop.y)]
        if stop.right > stop.left:
            curve += [(stop.left, stop.y), (stop.right, stop.y), (stop.right, stop.y)]
    return tuple(curve)


class _Router:
    """Makes curves of stops."""

    def __init__(self, routes: Sequence[list[_Stop]], width: float) -> None:
        self._grid = np.arange(0.0, width, 3.0)
        self._routes = list(routes)
        self._heights = np.stack([self._height(_curve(stops)) for stops in routes])

    def _height(self, curve: Sequence[Point]) -> np.ndarray:
        """The y of a curve over the grid; NaN left and right of it."""
        x, y = points_of(curve).T
        return np.interp(self._grid, x, y, left=np.nan, right=np.nan)

    def _crossings(self, index: int, height: np.ndarray) -> int:
        above = np.sign(np.delete(self._heights, index, axis=0) - height)
        return int(np.sum(np.abs(np.diff(above, axis=1)) > 0))

    def curves(self) -> list[tuple[Point, ...]]:
        """The curve of each route."""
        return [_curve(stops) for stops in self._routes]

    def smooth(self, index: int, obstacles: Sequence[Box]) -> None:
        """Leaves a route no more stops than keep it from boxes and other arrows.

        A stop that is not needed goes if that costs no crossing; or else it becomes a mere point
        to pass, if that does not.
        """
        crossings = self._crossings(index, self._heights[index])

        def accepted(stops: list[_Stop]) -> bool:
            curve = _curve(stops)
            if inside(points_of(curve), obstacles, _CLEARANCE):
                return False
            height = self._height(curve)
            if self._crossings(index, height) > crossings:
                return False
            self._routes[index], self._heights[index] = stops, height
            return True

        for stop in [stop for stop in self._routes[index][1:-1] if not stop.needed]:
            stops = self._routes[index]
            place = stops.index(stop)
            middle = (stop.left + stop.right) / 2
            if not accepted([*stops[:place], *stops[place + 1 :]]):
                accepted([*stops[:place], _Stop(middle, middle, stop.y), *stops[place + 1 :]])


def _column_widths(slots: Slots, widths: Sequence[float], labels: Sequence[float]) -> list[float]:
    """The width of each column, from those of the nodes and of the arrows' labels."""
    column_widths = [0.0] * (max(slots.column) + 1)
    for slot, width in [*enumerate(widths), *zip(slots.label_slot, labels, strict=True)]:
        if slot is not None:
            column = slots.column[slot]
            column_widths[column] = max(column_widths[column], width)
    return column_widths


def _ports(slots: Slots, y: Sequence[float], end: int) -> list[float]:
    """The y at which each arrow leaves its source (end 0) or enters its target (end -1).

    They are spread out over the side of the node, in an order in which they do not cross.
    """
    ports = [0.0] * len(slots.chains)
    neighbour = 1 if end == 0 else -2
    for node in range(slots.nodes):
        arrows = [a for a, chain in enumerate(slots.chains) if chain[end] == node]
        arrows.sort(key=lambda a: y[slots.chains[a][neighbour]])
        for i, arrow in enumerate(arrows):
            ports[arrow] = y[node] + (i - (len(arrows) - 1) / 2) * _PORT_STEP
    return ports


def _node_height(node: int, arrows: Sequence[Arrow]) -> float:
    """High enough for the arrows at either side."""
    arrow_count = max(sum(a.source == node for a in arrows), sum(a.target == node for a in arrows))
    return max(_NODE_HEIGHT, (arrow_count - 1) * _PORT_STEP + 2 * _CORNER)


def _lefts(slots: Slots, y: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The left side of each column: steep bends get more room."""
    rises = [0.0] * len(widths)
    for slot, successors in enumerate(slots.successors):
        for successor in successors:
            column = slots.column[successor]
            rises[column] = max(rises[column], abs(y[successor] - y[slot]))
    lefts = [0.0]
    for width, rise in zip(widths, rises[1:], strict=False):
        lefts.append(lefts[-1] + width + min(max(_BENDS[0], rise / _STEEPEST), _BENDS[1]))
    return lefts


def lay_out(
    node_widths: Sequence[float], arrows: Sequence[Arrow], label_width: Callable[[str], float]
) -> Layout:
    """Lays out a directed graph without cycles whose last node is the output.

    Args:
      node_widths: the width of each node; its height follows from its arrows.
      arrows: the edges; a source has a lower number than its target, and two arrows may join the
        same nodes.
      label_width: the width of a label.
    """
    slots = Slots([_node_height(node, arrows) for node in range(len(node_widths))], arrows)
    label_widths = [label_width(arrow.label) if arrow.label else 0.0 for arrow in arrows]
    widths = _column_widths(slots, node_widths, label_widths)
    y = best_heights(slots)
    bottom = min(centre - height / 2 for centre, height in zip(y, slots.height, strict=True))
    y = [centre - bottom for centre in y]
    lefts = _lefts(slots, y, widths)

    def box(slot: int, width: float) -> Box:
        column = slots.column[slot]
        return Box(lefts[column] + widths[column] / 2, y[slot], width, slots.height[slot])

    boxes = tuple(box(node, width) for node, width in enumerate(node_widths))
    label_boxes = [
        None if slot is None else box(slot, width)
        for slot, width in zip(slots.label_slot, label_widths, strict=True)
    ]
    stops: list[list[_Stop]] = []
    for i, (leave, enter) in enumerate(zip(_ports(slots, y, 0), _ports(slots, y, -1), strict=True)):
        start, end = boxes[arrows[i].source], boxes[arrows[i].target]
        inner = []
        for slot in slots.chains[i][1:-1]:
            left, right = lefts[slots.column[slot]], lefts[slots.column[slot]]
            right += widths[slots.column[slot]]
            inner.append(_Stop(left, right, y[slot], needed=slot == slots.label_slot[i]))
        start_x, end_x = start.x + start.width / 2, end.x - end.width / 2
        stops.append([_Stop(start_x, start_x, leave), *inner, _Stop(end_x, end_x, enter)])

    width = lefts[-1] + widths[-1]
    router = _Router(stops, width)
    # Once more when the others, too, have lost their detours.
    for i, arrow in [*enumerate(arrows)] * 2:
        obstacles = [b for n, b in enumerate(boxes) if n not in (arrow.source, arrow.target)]
        obstacles += [b for j, b in enumerate(label_boxes) if b is not None and j != i]
        router.smooth(i, obstacles)
    routes = tuple(map(Route, arrows, router.curves(), label_boxes))
    top = max(centre + height / 2 for centre, height in zip(y, slots.height, strict=True))
    return Layout(boxes, routes, width, top)
