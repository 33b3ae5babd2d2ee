"""The graphs of the cells of each space, by the space's name and the kind of cell."""

from collections.abc import Mapping

from tf_darts.spaces.convolutional.cell import convolutional_topology
from tf_darts.spaces.recurrent.cell import recurrent_topology
from tf_darts.spaces.topology import CellTopology

TOPOLOGIES: Mapping[str, Mapping[str, CellTopology]] = {
    "recurrent": {"cell": recurrent_topology()},
    "convolutional": {"normal": convolutional_topology(), "reduce": convolutional_topology()},
}
