"""P-DARTS: what a stage hands on, its settings, and what is refused (METHODS.md 2.2)."""

import numpy as np
import pytest

from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.cells.topology import CellTopology
from tf_darts.config import method_names
from tf_darts.config.presets import computed_settings, configure
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


def test_in_nasbench201_the_network_grows_to_its_full_size():
    config = searched(space="nasbench201")
    assert [config.staging.settings_of_stage(stage) for stage in range(3)] == [
        {"cells_per_stage": 1, "skip_dropout": 0.1},
        {"cells_per_stage": 3, "skip_dropout": 0.4},
        {"cells_per_stage": 5, "skip_dropout": 0.7},
    ]
    assert (config.stage_operations, config.epochs, config.batch_size) == ("3/2", 25, 96)


def test_dr_nas_has_its_stages_in_the_convolutional_space():
    config = searched(method="dr_nas")
    assert [config.staging.settings_of_stage(i) for i in range(2)] == [
        {"partial_channels": 6},
        {"partial_channels": 4},
    ]
    assert (config.channels, config.layers, config.epochs, config.batch_size) == (36, 20, 25, 64)
    assert (config.warm_up_epochs, config.alpha_learning_rate) == (10, 6e-4)
    assert (config.weight_learning_rate, config.final_weight_learning_rate) == (0.1, 0.0)
    cells = config.cells
    assert {cell.columns for cell in cells.values()} == {7}
    assert not any("none" in cell.all_operations for cell in cells.values())
    tables = {kind: np.random.default_rng(0).random((14, 7)) for kind in cells}
    last = config.staging.cells_of_stage(1, {"mixing": tables}, cells)
    assert {cell.columns for cell in last.values()} == {4}


def test_dr_nas_has_one_stage_elsewhere_and_may_have_more():
    config = searched(method="dr_nas", space="nasbench201")
    assert config.staging is None and config.epochs == 100 and config.edge_options == ""
    assert searched(method="dr_nas", dataset="ptb").staging is None
    config = searched(
        method="dr_nas",
        space="nasbench201",
        rules="progressive_shrinking",
        edge_options="partial_channels",
        epochs=50,
        stage_operations="3",
        stage_settings="partial_channels:4/2",
    )
    assert config.staging.settings_of_stage(1) == {"partial_channels": 2}


@pytest.mark.parametrize("asked", [{}, {"space": "nasbench201"}, {"dataset": "ptb"}])
def test_dr_nas_has_its_name_in_every_space(asked):
    """Whether its run says the space, or leaves the usual one of its data out."""
    config = searched(method="dr_nas", **asked)
    assert config.label == method_names.label(computed_settings(config)) == "dr_nas"


def test_a_run_from_before_the_stages_says_what_it_lacks():
    """Of the convolutional space; it goes on where the same is asked for."""
    asked = {"rules": "", "edge_options": "", "operations": "", "channels": 16, "layers": 8}
    asked |= {"epochs": 50, "weight_learning_rate": 0.025, "final_weight_learning_rate": 0.001}
    before = searched(method="dr_nas", **asked, alpha_learning_rate=3e-4)
    assert before.label == "dr_nas+no_rules+no_edge_options" and before.staging is None
    recorded = computed_settings(before)
    plain = {"relaxation": "dirichlet", "alpha_terms": "kullback_leibler", "rules": ""}
    old = computed_settings(searched(method="darts_first", **plain))
    assert old | {"method": "dr_nas", "divergence_weight": 1e-3} == recorded


def test_what_the_first_stage_has_may_be_given():
    """As a flagfile of all methods gives it; it is the same search."""
    assert searched(layers=5) == searched()
    with pytest.raises(UserError, match=r"--layers=5: .*, the first 4 "):
        searched(layers=5, stage_settings="layers:4/5/6")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"layers": 8}, "--layers=8: .* each stage having its own, the first 5 .*; leave it out"),
        ({"layers": 8, "space": "nasbench201"}, "--layers has no meaning"),
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
        (
            {"space": "nasbench201", "stage_settings": "layers:5/11/17"},
            "layers is no setting .*the space is nasbench201",
        ),
        ({"space": "nasbench201", "stage_operations": "5/3"}, "5 operations .*like 3/2"),
        (
            {"method": "dr_nas", "channels": 16},
            "partial_channels of all its stages .*multiples of 12 .*--channels=12 or 24",
        ),
        ({"method": "dr_nas", "operations": "s2"}, "2 operations .*leave the rule out"),
        ({"dataset": "ptb"}, "the space recurrent do not offer"),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    with pytest.raises(UserError, match=words):
        searched(**settings)


def test_a_setting_that_one_stage_refuses_is_refused_at_once():
    with pytest.raises(UserError, match="multiples of 12 alone, and --channels=16"):
        searched(
            edge_options="skip_dropout,partial_channels",
            stage_settings="partial_channels:4/4/3",
        )


def test_the_advice_works():
    assert searched(space="nasbench201", stage_operations="3/2").staging.stages() == 3
    assert searched(dataset="ptb", edge_options="").staging.stages() == 3
    for channels in (12, 24):
        assert searched(method="dr_nas", channels=channels).staging.stages() == 2
