"""The graphs of the cells of each space, by the space's name and the kind of cell."""

from collections.abc import Iterator, Mapping

from tf_darts.cells.genotype import primitives_of
from tf_darts.cells.space import spaces
from tf_darts.cells.topology import CellTopology


def convolutional_topology(nodes: int = 4) -> CellTopology:
    """Two given nodes and `nodes` searched ones, which keep two predecessors each."""
    return CellTopology(inputs=2, nodes=nodes, keep=2, operations=primitives_of("convolutional"))


def recurrent_topology(nodes: int = 8) -> CellTopology:
    """Node 0 mixes input and state; `nodes` searched nodes keep one predecessor each."""
    operations = primitives_of("recurrent")
    return CellTopology(inputs=1, nodes=nodes, keep=1, operations=operations, output="mean")


class _Topologies(Mapping[str, Mapping[str, CellTopology]]):
    """Made when they are asked for, because operations can be added to a space."""

    def __getitem__(self, space: str) -> Mapping[str, CellTopology]:
        return spaces()[space].topologies

    def __iter__(self) -> Iterator[str]:
        return iter(spaces())

    def __len__(self) -> int:
        return len(spaces())


TOPOLOGIES: Mapping[str, Mapping[str, CellTopology]] = _Topologies()
