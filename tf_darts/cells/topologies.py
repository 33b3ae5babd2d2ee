"""The graphs of the cells of each space, by the space's name and the kind of cell."""

from collections.abc import Callable, Iterator, Mapping

from tf_darts.cells.topology import CellTopology
from tf_darts.spaces.convolutional.relaxed.cell import convolutional_topology
from tf_darts.spaces.recurrent.relaxed.cell import recurrent_topology

_GRAPHS: Mapping[str, Mapping[str, Callable[[], CellTopology]]] = {
    "recurrent": {"cell": recurrent_topology},
    "convolutional": {"normal": convolutional_topology, "reduce": convolutional_topology},
}


class _Topologies(Mapping[str, Mapping[str, CellTopology]]):
    """Made when they are asked for, because operations can be added to a space."""

    def __getitem__(self, space: str) -> Mapping[str, CellTopology]:
        return {kind: graph() for kind, graph in _GRAPHS[space].items()}

    def __iter__(self) -> Iterator[str]:
        return iter(_GRAPHS)

    def __len__(self) -> int:
        return len(_GRAPHS)


TOPOLOGIES = _Topologies()
