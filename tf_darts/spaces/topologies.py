"""The graphs of the cells of each space."""

from collections.abc import Callable, Mapping

from tf_darts.spaces.convolutional.cell import convolutional_topology
from tf_darts.spaces.recurrent.cell import recurrent_topology
from tf_darts.spaces.topology import CellTopology

# By the kind of cell; made when asked, because operations can be added to a space.
_GRAPHS: Mapping[str, Mapping[str, Callable[[], CellTopology]]] = {
    "recurrent": {"cell": recurrent_topology},
    "convolutional": {"normal": convolutional_topology, "reduce": convolutional_topology},
}


def topologies(space: str) -> dict[str, CellTopology]:
    """The graphs of a space's cells by the kind of cell."""
    return {kind: graph() for kind, graph in _GRAPHS[space].items()}
