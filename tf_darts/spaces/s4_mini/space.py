"""The space `s4_mini` as data: S4 of RobustDARTS (Zela et al., ICLR 2020) in a cell of five edges.

Every edge is kept, so a right search has `sep_conv_3x3` on all of them.
"""

from tf_darts.cells.space import IMAGES, Space, register_space
from tf_darts.cells.topology import CellLabels, CellTopology
from tf_darts.spaces.s4_mini.settings import S4MiniSearchConfig, S4MiniTrainingConfig

OPERATIONS = ("noise", "sep_conv_3x3")


def topology() -> CellTopology:
    """The outputs of the two cells before are given; both nodes have an edge from each earlier."""
    return CellTopology(inputs=2, nodes=2, keep=None, operations=OPERATIONS)


_EDGES = [["sep_conv_3x3", source] for node in range(2) for source in range(2 + node)]

S4_MINI = register_space(
    Space(
        name="s4_mini",
        data=IMAGES,
        graphs={"cell": topology},
        labels={
            "cell": CellLabels(title="S4-mini", inputs=("$c_{k-2}$", "$c_{k-1}$"), output="$c_k$")
        },
        search=S4MiniSearchConfig(),
        training=S4MiniTrainingConfig(),
        supernet="tf_darts.spaces.s4_mini.make:supernet",
        objective="tf_darts.spaces.s4_mini.make:objective",
        parameter_free=("noise",),
        published={"no_noise": {"cell": _EDGES, "cell_concat": [2, 3]}},
        answer="no_noise",
    )
)
