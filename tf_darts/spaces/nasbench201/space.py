"""The space of NAS-Bench-201 as data (Dong, Yang, ICLR 2020; docs/nasbench201.md)."""

from tf_darts.cells.space import IMAGES, Space, register_space
from tf_darts.cells.table_form import TableForm
from tf_darts.cells.topology import CellLabels, CellTopology
from tf_darts.spaces.nasbench201 import strings
from tf_darts.spaces.nasbench201.settings import (
    NasBench201SearchConfig,
    NasBench201TrainingConfig,
)
from tf_darts.spaces.nasbench201.strings import NODES, OPERATIONS


def topology() -> CellTopology:
    """Node 0 is the input; nodes 1 to 3 have an edge from each earlier one; 3 is the output."""
    return CellTopology(
        inputs=1,
        nodes=NODES,
        keep=None,
        operations=OPERATIONS,
        none_competes=True,
        output="last",
    )


NASBENCH201 = register_space(
    Space(
        name="nasbench201",
        data=IMAGES,
        graphs={"cell": topology},
        fields={"cell": ("nasbench201", "")},
        labels={"cell": CellLabels(title="NAS-Bench-201", inputs=("$x$",), output="$y$")},
        search=NasBench201SearchConfig(),
        training=NasBench201TrainingConfig(),
        # The benchmark's own parts of CIFAR-10: half of it is kept for validation.
        presets={("train", "cifar10"): {"validation_examples": 25_000}},
        supernet="tf_darts.spaces.nasbench201.make:supernet",
        objective="tf_darts.spaces.nasbench201.make:objective",
        counts="tf_darts.spaces.nasbench201.make:counts",
        operation_costs="tf_darts.spaces.nasbench201.make:operation_costs",
        parameter_free=("none", "skip_connect", "avg_pool_3x3"),
        published="tf_darts.spaces.nasbench201.published:CELLS",
        wraps_edges=True,
        text_form=(r"\s*\|?\s*\w+~\d+\s*\|", "tf_darts.spaces.nasbench201.strings:fields"),
        table=TableForm(
            written=strings.of_fields,
            read=strings.normal,
            alike=strings.convolution_counts,
            alike_by="numbers of 3×3 and 1×1 convolutions",
            references=("all_3x3", "best_cifar100"),
            collapse="collapsed",
            cells=len(OPERATIONS) ** strings.EDGES,
        ),
    )
)
