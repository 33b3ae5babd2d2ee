"""FairDARTS' threshold, where a cell may do without an edge."""

import numpy as np
import pytest

from tf_darts.cells.space import find_space
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.threshold import Threshold

CELLS = find_space("nasbench201").topologies


def derived(table, **settings):
    nodes = Threshold(**settings).edges({"cell": table}, CELLS)["cell"]
    assert [source for node in nodes for _, source in node] == [0, 0, 1, 0, 1, 2]
    return [name for node in nodes for name, _ in node]


def test_only_what_is_sure_stays():
    table = np.full([6, 5], 0.3)
    table[:, 0] = 0.95  # what `none` itself has, says nothing
    table[0, 3] = 0.85
    table[1, 1] = 0.849
    table[2, 2], table[2, 3] = 0.9, 0.86  # both are sure: the stronger one
    table[5, 4] = 1.0
    some = ["nor_conv_3x3", "none", "nor_conv_1x1", "none", "none", "avg_pool_3x3"]
    assert derived(table) == some
    assert derived(table, edge_threshold=0.5)[1] == "skip_connect"
    assert "none" not in derived(table, edge_threshold=0.0)


def test_where_no_edge_can_vanish_it_is_refused():
    asked = {"mode": "search", "method": "fair_darts", "derivation": "threshold"}
    bench = {"dataset": "cifar10", "space": "nasbench201"}
    assert configure(asked | bench).label == "fair_darts+threshold"
    for wrong in (
        {"dataset": "cifar10"},
        {"dataset": "ptb"},
        bench | {"operations": "skip_connect,nor_conv_3x3"},
    ):
        with pytest.raises(UserError, match="so none can vanish; use --derivation=strongest"):
            configure(asked | wrong)


def test_factors_of_edges_are_no_measure_of_how_sure_one_is():
    asked = {"mode": "search", "dataset": "cifar10", "space": "nasbench201"}
    both = {"method": "fair_darts", "derivation": "threshold", "edge_options": "edge_normalization"}
    with pytest.raises(UserError, match="would not tell how sure an edge is"):
        configure(asked | both)
