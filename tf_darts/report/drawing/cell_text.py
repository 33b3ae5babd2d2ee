"""Drawings of cells as text, for a terminal: the edges of each node on a line."""

from tf_darts.cells.genotype import Genotype
from tf_darts.report.drawing.cell_graph import Cell, cells_of, plain

_LEFT, _RIGHT = "◀─", "─"


def cell_text(genotype: Genotype, width: int = 80, encoding: str = "utf-8") -> str:
    """The cells of a genotype, each under its title.

    A node's line has its edges, `◀─ OPERATION ─ FROM`, as many beside each other as fit. An edge
    whose operation is `none` is left out.

    Args:
      genotype: the cells.
      width: of a line, in characters.
      encoding: of whoever reads it; where it has no arrows, they are made of ASCII.
    """
    text = "\n".join(_lines(genotype, width))
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.replace(_LEFT, "<-").replace(_RIGHT, "-")
        text = text.encode(encoding, "replace").decode(encoding)
    return text


def _lines(genotype: Genotype, width: int) -> list[str]:
    lines = []
    for cell in cells_of(genotype):
        if cell.title:
            lines.append(cell.title)
        names = [plain(text) if kind != "node" else f"node {text}" for kind, text in cell.nodes]
        targets = [n for n, (kind, _) in enumerate(cell.nodes) if kind != "input"]
        column = max(len(names[target]) for target in targets)
        for target in targets:
            edges = _edges(cell, names, target)
            across = max(1, (width - column - 3) // (max(map(len, edges), default=0) + 2))
            rows = [edges[i : i + across] for i in range(0, len(edges), across)] or [
                [f"{_LEFT} nothing"]
            ]
            for number, row in enumerate(rows):
                head = names[target] if number == 0 else ""
                lines.append(f"  {head:<{column}} {'  '.join(row)}".rstrip())
    return lines


def _edges(cell: Cell, names: list[str], target: int) -> list[str]:
    """What a node is made of: operations with where they are from, in one column each."""
    arrows = [arrow for arrow in cell.arrows if arrow.target == target]
    if not any(arrow.label for arrow in arrows):
        return [f"{_LEFT} {', '.join(names[arrow.source] for arrow in arrows)}"] if arrows else []
    operation = max(len(arrow.label) for arrow in cell.arrows)
    source = max(len(names[arrow.source]) for arrow in cell.arrows if arrow.label)
    return [
        f"{_LEFT} {arrow.label} {_RIGHT * (operation - len(arrow.label) + 1)}"
        f" {names[arrow.source]:<{source}}"
        for arrow in arrows
    ]
