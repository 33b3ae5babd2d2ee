"""P-DARTS: what a stage hands on, its settings, and what is refused (METHODS.md 2.2)."""

import numpy as np
import pytest

from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.cells.topology import CellTopology
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.progressive import ProgressiveShrinking, shrunk


def searched(**asked):
    return configure({"mode": "search", "dataset": "cifar10", "method": "p_darts"} | asked)


def test_each_edge_loses_its_weakest_operations_of_equals_the_first():
    topology = CellTopology(2, 1, None, ("none", "skip_connect", "sep_conv_3x3", "max_pool_3x3"))
    mixing = np.array([[0.4, 0.1, 0.3, 0.2], [0.25, 0.25, 0.25, 0.25]])
    lists = shrunk(topology, mixing, 2).operations
    assert lists == (("none", "sep_conv_3x3"), ("sep_conv_3x3", "max_pool_3x3"))


def test_8_operations_become_5_and_then_3():
    rule, cells = ProgressiveShrinking(stage_operations="5/3"), TOPOLOGIES["convolutional"]
    names = cells["normal"].operations
    tables = {kind: np.random.default_rng(i).random((14, 8)) for i, kind in enumerate(cells)}
    second = rule.cells_of_stage(1, {"mixing": tables}, cells)
    for kind, topology in second.items():
        for edge, table in enumerate(tables[kind]):
            strongest = np.sort(np.argsort(-table)[:5])
            assert topology.operations_of(edge) == tuple(names[k] for k in strongest)
    third = rule.cells_of_stage(2, {"mixing": {k: t[:, 3:] for k, t in tables.items()}}, second)
    assert rule.stages() == 3 and {cell.columns for cell in third.values()} == {3}
    for kind, topology in third.items():
        for edge in range(14):
            assert set(topology.operations_of(edge)) < set(second[kind].operations_of(edge))


def test_the_method_has_the_papers_stages():
    config = searched()
    stages = [config.staging.settings_of_stage(stage) for stage in range(3)]
    assert stages == [
        {"layers": 5, "skip_dropout": 0.1},
        {"layers": 11, "skip_dropout": 0.4},
        {"layers": 17, "skip_dropout": 0.7},
    ]
    assert (config.epochs, config.batch_size, config.warm_up_epochs) == (25, 96, 10)
    assert (config.derivation, config.most_skips) == ("skip_limit", 2)
    assert searched(rules="").label == "p_darts+no_rules"
    assert searched(rules="").staging is None


def test_dr_nas_may_have_stages_too():
    config = searched(
        method="dr_nas",
        rules="warm_up,progressive_shrinking",
        edge_options="partial_channels",
        stage_operations="4",
        stage_settings="partial_channels:6/4",
        channels=36,
    )
    assert [config.staging.settings_of_stage(i) for i in range(2)] == [
        {"partial_channels": 6},
        {"partial_channels": 4},
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"layers": 8}, "--layers has no meaning .* each stage having its own; leave it out"),
        ({"stage_operations": "5,3"}, "give whole numbers with / between them, like 5/3"),
        ({"stage_operations": "5/5"}, "fewer than before.*fall from below 8, like 5/2"),
        ({"stage_operations": "5/1"}, "in the last at least 2"),
        ({"operations": "s2"}, "an edge has 2 operations .*leave the rule out"),
        ({"stage_settings": "layers:5/11"}, "3 numbers, one for each stage"),
        ({"stage_settings": "layers:5/11/0"}, "--layers=0: out of range"),
        ({"stage_settings": "layers:5/x/7"}, "write it like layers:8/8/8"),
        ({"stage_settings": "layer:5/11/17"}, "layer is no setting of this search"),
        (
            {"stage_settings": "layer:5/11/17,layers:5/11/17"},
            "give --stage_settings=layers:5/11/17 without it",
        ),
        ({"stage_settings": "seed:5/11/17"}, "seed cannot change"),
        ({"stage_settings": "checkpoint_steps:5/11/17"}, "give it as --checkpoint_steps"),
        ({"derivation": "perturbation"}, "the next begins anew; leave one of the two out"),
        ({"epochs": 10}, "leaves none of --epochs=10"),
        ({"space": "nasbench201"}, "layers is no setting .*the space is nasbench201"),
        ({"space": "nasbench201", "stage_settings": ""}, "5 operations .*like 3/2"),
        ({"dataset": "ptb"}, "the space recurrent do not offer"),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    with pytest.raises(UserError, match=words):
        searched(**settings)


def test_a_setting_that_one_stage_refuses_is_refused_at_once():
    with pytest.raises(UserError, match="--partial_channels=3 does not divide --channels=16"):
        searched(
            edge_options="skip_dropout,partial_channels",
            stage_settings="partial_channels:4/4/3",
        )


def test_the_advice_works():
    asked = {"space": "nasbench201", "stage_operations": "3/2"}
    asked["stage_settings"] = "cells_per_stage:1/3/5"
    assert searched(**asked).staging.stages() == 3
    asked = {"dataset": "ptb", "edge_options": "", "stage_settings": "", "stage_operations": "3/2"}
    assert searched(**asked).staging.stages() == 3
