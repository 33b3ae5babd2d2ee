"""The convolutional space as data (docs/method.md section 4)."""

from tf_darts.cells.genotype import EXTRA_CONVOLUTIONAL_PRIMITIVES
from tf_darts.cells.space import IMAGES, Space, register_space
from tf_darts.cells.topologies import convolutional_topology
from tf_darts.cells.topology import CellLabels
from tf_darts.spaces.convolutional.operation_lists import S1, S2, S3, S4
from tf_darts.spaces.convolutional.settings import (
    ConvolutionalSearchConfig,
    ConvolutionalTrainingConfig,
)

_LABELS = {"inputs": ("$c_{k-2}$", "$c_{k-1}$"), "output": "$c_k$"}

CONVOLUTIONAL = register_space(
    Space(
        name="convolutional",
        data=IMAGES,
        default=True,
        graphs={"normal": convolutional_topology, "reduce": convolutional_topology},
        search=ConvolutionalSearchConfig(),
        training=ConvolutionalTrainingConfig(),
        presets={
            # Too small for the auxiliary head, which needs 32 pixels.
            ("train", "digits"): {"auxiliary_weight": 0.0},
            ("train", "planted"): {"auxiliary_weight": 0.0},
            ("train", "imagenet2012"): {
                "epochs": 250,
                "batch_size": 128,
                "learning_rate": 0.1,
                "schedule": "exponential",
                "weight_decay": 3e-5,
                "network": "imagenet",
                "channels": 48,
                "layers": 14,
                "drop_path": 0.0,
                "label_smoothing": 0.1,
            },
        },
        supernet="tf_darts.spaces.convolutional.make:supernet",
        objective="tf_darts.spaces.convolutional.make:objective",
        counts="tf_darts.spaces.convolutional.make:counts",
        operation_costs="tf_darts.spaces.convolutional.make:operation_costs",
        labels={
            "normal": CellLabels(title="Normal cell", **_LABELS),
            "reduce": CellLabels(title="Reduction cell", **_LABELS),
        },
        operation_lists={"s1": S1, "s2": S2, "s3": S3, "s4": S4},
        parameter_free=("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "noise"),
        extra_operations=EXTRA_CONVOLUTIONAL_PRIMITIVES,
        published="tf_darts.spaces.convolutional.published:CELLS",
        wraps_edges=True,
    )
)
