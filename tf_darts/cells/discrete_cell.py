"""One kind of cell of a genotype: its edges and output, checked against its space's topology."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tf_darts.cells import foreign as foreign_cells
from tf_darts.cells.topology import CellTopology
from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

Edge = tuple[str, int]  # (operation, predecessor)


class DiscreteCell(NamedTuple):
    """One kind of cell of a genotype.

    Attributes:
      nodes: for each searched node its edges.
      concat: the nodes that the output joins or averages; the last one where it is the output.
    """

    nodes: tuple[tuple[Edge, ...], ...]
    concat: tuple[int, ...]

    def is_connected(self, inputs: int) -> bool:
        """Whether any of its `inputs` reaches the output by operations other than `none`."""
        reached = set(range(inputs))
        for number, edges in enumerate(self.nodes, start=inputs):
            if any(name != "none" and source in reached for name, source in edges):
                reached.add(number)
        return not reached.isdisjoint(self.concat)


def check_fields(cell: Any, names: tuple[str, ...]) -> None:
    """Raises `UserError` where a cell's JSON has other fields than these."""
    if not isinstance(cell, Mapping):
        raise UserError("not a genotype file, expected a JSON object as its cell.")
    for name in names:
        if name not in cell:
            raise UserError(f"not a genotype file, {name!r} is missing in its cell.")
    for name in cell:
        if name not in names:
            raise UserError(
                f"unknown field {shown(repr(name))} in its cell; a cell has {', '.join(names)}, so"
                " take the other out."
            )


def checked_cell(
    topology: CellTopology,
    operations: tuple[str, ...],
    location: str,
    edges: Any,
    concat: Any = None,
    *,
    takes_more: bool = False,
) -> DiscreteCell:
    """A checked cell.

    Args:
      topology: its graph; a cell may have more or fewer nodes.
      operations: that its edges may have.
      location: what it is called in sentences.
      edges: flat or node by node.
      concat: the nodes that its output joins; None where the last one is the output.
      takes_more: whether operations can be added to its space.
    """
    advice = ", or add it first (--load=FILE.py)" if takes_more else ""
    nodes, inputs = _nodes(edges, topology, location), topology.inputs
    if concat is not None:
        concat = _integers(concat, location)
    if not nodes:
        raise UserError(f"{location}: it has no nodes; at least one is needed.")
    if not topology.none_competes:
        operations = tuple(name for name in operations if name != "none")
    for i, node in enumerate(nodes):
        here, wanted = f"{location}, node {inputs + i}", topology.kept(i)
        if len(node) != wanted:
            count = {1: "one edge", 2: "two edges"}.get(wanted, f"{wanted} edges")
            raise UserError(f"{here}: needs {count}, has {len(node)}.")
        for edge in node:
            _check_edge(edge, operations, inputs + i, here, advice)
        sources = sorted(source for _, source in node)
        if topology.keep is None and sources != list(range(wanted)):
            raise UserError(
                f"{here}: its edges come from {shown(sources)}; it needs one from each of 0 to"
                f" {wanted - 1}."
            )
    if concat is None:
        return DiscreteCell(nodes, (inputs + len(nodes) - 1,))
    _check_concat(concat, inputs, len(nodes), location)
    return DiscreteCell(nodes, concat)


def _check_edge(
    edge: Edge, operations: tuple[str, ...], nodes_before: int, location: str, advice: str
) -> None:
    operation, predecessor = edge
    if operation not in operations:
        unknown, known = shown(repr(operation)), ", ".join(operations)
        advice = "" if operation == "none" else advice  # a name that can never be added
        raise UserError(f"{location}: unknown operation {unknown}; use one of {known}{advice}.")
    if not 0 <= predecessor < nodes_before:
        raise UserError(
            f"{location}: predecessor {shown(predecessor)} is not an earlier node; a cell has no"
            f" cycles, so use 0 to {nodes_before - 1}."
        )


def _edges(rows: Any, location: str) -> tuple[Edge, ...]:
    """A flat sequence of edges."""
    try:
        edges = tuple((operation, predecessor) for operation, predecessor in rows)
    except (TypeError, ValueError):
        edges = None
    if edges is None or not all(isinstance(o, str) and type(p) is int for o, p in edges):
        raise UserError(f"{location}: expected a list of [operation, predecessor] pairs.")
    return edges


def _nodes(rows: Any, topology: CellTopology, location: str) -> tuple[tuple[Edge, ...], ...]:
    """The edges of each node, of a flat sequence of edges or of one node by node."""
    nested = isinstance(rows, list | tuple) and any(
        isinstance(row, list | tuple) and row and isinstance(row[0], list | tuple) for row in rows
    )
    if nested:
        return tuple(_edges(row, location) for row in rows)
    edges, nodes = _edges(rows, location), []
    while edges:
        count = topology.kept(len(nodes))
        nodes.append(edges[:count])
        edges = edges[count:]
    return tuple(nodes)


def _integers(values: Any, location: str) -> tuple[int, ...]:
    few = isinstance(values, list | tuple | range) and len(values) <= foreign_cells.MOST_NODES
    if not few or not all(type(value) is int for value in values):
        raise UserError(f"{location}: expected a list of node numbers.")
    return tuple(values)


def _check_concat(concat: tuple[int, ...], inputs: int, nodes: int, location: str) -> None:
    allowed = range(inputs, inputs + nodes)
    if not concat or len(set(concat)) != len(concat) or any(n not in allowed for n in concat):
        raise UserError(
            f"{location}: its output joins nodes {shown(list(concat))}, and its edges make"
            f" {allowed.start} to {allowed.stop - 1}; join distinct ones of these, or add the"
            " edges that are missing."
        )
