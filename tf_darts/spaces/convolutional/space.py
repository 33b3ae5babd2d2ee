"""The convolutional space as data (docs/method.md section 4)."""

from tf_darts.cells.genotype import EXTRA_CONVOLUTIONAL_PRIMITIVES
from tf_darts.cells.space import IMAGES, Space, register_space
from tf_darts.cells.topologies import convolutional_topology
from tf_darts.cells.topology import CellLabels

_LABELS = {"inputs": ("$c_{k-2}$", "$c_{k-1}$"), "output": "$c_k$"}

CONVOLUTIONAL = register_space(
    Space(
        name="convolutional",
        data=IMAGES,
        default=True,
        graphs={"normal": convolutional_topology, "reduce": convolutional_topology},
        labels={
            "normal": CellLabels(title="Normal cell", **_LABELS),
            "reduce": CellLabels(title="Reduction cell", **_LABELS),
        },
        extra_operations=EXTRA_CONVOLUTIONAL_PRIMITIVES,
        published="tf_darts.spaces.convolutional.published:CELLS",
    )
)
