"""The recurrent space as data (docs/method.md section 5)."""

from tf_darts.cells.space import TEXTS, Space, register_space
from tf_darts.cells.topologies import recurrent_topology
from tf_darts.cells.topology import CellLabels
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig, RecurrentTrainingConfig

RECURRENT = register_space(
    Space(
        name="recurrent",
        data=TEXTS,
        default=True,
        graphs={"cell": recurrent_topology},
        search=RecurrentSearchConfig(),
        training=RecurrentTrainingConfig(),
        presets={
            ("train", "wikitext2"): {"units": 700, "hidden_dropout": 0.15, "weight_decay": 5e-7}
        },
        supernet="tf_darts.spaces.recurrent.make:supernet",
        objective="tf_darts.spaces.recurrent.make:objective",
        counts="tf_darts.spaces.recurrent.make:counts",
        why_no_costs="every cell has the same matrix products, whatever its activations",
        fields={"cell": ("recurrent", "concat")},
        labels={"cell": CellLabels(inputs=("$x_t$", "$h_{t-1}$"), mixed=True, output="$h_t$")},
        published="tf_darts.spaces.recurrent.published:CELLS",
    )
)
