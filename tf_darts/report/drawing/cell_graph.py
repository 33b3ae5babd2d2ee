"""Cells as graphs with the names of their nodes and edges, which drawings, texts and pages show."""

import dataclasses
import re

from tf_darts.cells.discrete_cell import DiscreteCell
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellLabels, CellTopology
from tf_darts.report.drawing.cell_slots import Arrow


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell as a graph to draw.

    Attributes:
      title: what stands above it.
      nodes: (kind, text) of each; a kind is "input", "node" or "output", the output is the last.
      arrows: the edges, numbered as `nodes`.
    """

    title: str
    nodes: tuple[tuple[str, str], ...]
    arrows: tuple[Arrow, ...]


def cells_of(genotype: Genotype) -> tuple[Cell, ...]:
    """The graphs of a genotype, one for each kind of cell, as its space's topologies have them."""
    space = find_space(genotype.space)
    several = len(space.graphs) > 1
    return tuple(
        _cell_of(
            genotype.cells[kind],
            topology,
            space.labels.get(kind, CellLabels(title=f"{kind} cell" if several else "")),
        )
        for kind, topology in space.topologies.items()
    )


def plain(label: str) -> str:
    """A label without the marks of mathematics: "$c_{k-1}$" is "c_k-1"."""
    return re.sub(r"[${}\\]", "", label)


def plain_edge_labels(space: str, kind: str, topology: CellTopology) -> list[str]:
    """`edge_labels` where nothing sets formulas, as on pages and in TensorBoard."""
    return [plain(label) for label in edge_labels(space, kind, topology)]


def edge_labels(space: str, kind: str, topology: CellTopology) -> list[str]:
    """What a row of α is called beside a drawing: its edge, between nodes named as there.

    Args:
      space: the name of the space.
      kind: of the cell.
      topology: of the cell.
    """
    labels = find_space(space).labels.get(kind, CellLabels())
    numbered = topology.nodes + (topology.inputs if labels.mixed else 0)
    given = () if labels.mixed else _inputs(topology, labels)
    names = [*given, *map(str, range(numbered))]
    return [
        f"{source}→{names[topology.inputs + node]}"
        for node in range(topology.nodes)
        for source in names[: topology.inputs + node]
    ]


def _inputs(topology: CellTopology, labels: CellLabels) -> tuple[str, ...]:
    return labels.inputs or tuple(f"in {i}" for i in range(topology.inputs))


def _cell_of(cell: DiscreteCell, topology: CellTopology, labels: CellLabels) -> Cell:
    """The graph of a cell; an edge whose operation is `none` is left out."""
    inputs = _inputs(topology, labels)
    # Where the given nodes mix the inputs, they come after these, and are numbered.
    shift, numbered = (len(inputs), topology.inputs) if labels.mixed else (0, 0)
    first = shift + topology.inputs
    arrows = [Arrow(i, shift + node) for node in range(numbered) for i in range(len(inputs))]
    for i, edges in enumerate(cell.nodes):
        arrows += [Arrow(p + shift, first + i, name) for name, p in edges if name != "none"]
    output = first + len(cell.nodes)
    arrows += [Arrow(node + shift, output) for node in cell.concat]
    nodes = [("input", text) for text in inputs]
    nodes += [("node", str(i)) for i in range(numbered + len(cell.nodes))]
    return Cell(labels.title, (*nodes, ("output", labels.output)), tuple(arrows))
