"""Topologies that are not the two spaces': all edges kept, `none` chosen, lists by edge."""

import itertools

import keras_tuner
import numpy as np
import pytest

from tests.support import toy_space
from tf_darts.bilevel.strongest_edges import strongest_edges
from tf_darts.cells.random_cells import random_edges
from tf_darts.cells.topology import CellTopology
from tf_darts.errors import UserError
from tf_darts.report.plots import alpha_heatmap, by_operation
from tf_darts.study.cell_choices import chosen_cells

ALL = toy_space.topology()
BY_EDGE = CellTopology(2, 2, 2, (("a", "none"), ("b", "a"), ("c", "d"), ("a", "b"), ("none", "d")))


def test_rows_and_columns():
    assert (ALL.edges, ALL.columns, ALL.edge_names[-1]) == (6, 3, "2→3")
    assert [ALL.kept(i) for i in range(3)] == [1, 2, 3] and BY_EDGE.kept(1) == 2
    assert ALL.choices(0) == toy_space.OPERATIONS and not ALL.by_edge
    assert (BY_EDGE.edges, BY_EDGE.columns) == (5, 2)
    assert BY_EDGE.all_operations == ("a", "none", "b", "c", "d")
    assert [BY_EDGE.choices(e) for e in (0, 1, 4)] == [("a",), ("b", "a"), ("d",)]


@pytest.mark.parametrize(
    ("operations", "sentence"),
    [
        ((("a", "b"), ("c",), ("a", "b")), "3 edges has 3 lists of operations with 1, 2 names"),
        (
            (("a", "b"), ("c", "d")),
            "3 edges has 2 lists of operations with 2 names; give",
        ),
    ],
)
def test_lists_that_do_not_fit(operations, sentence):
    with pytest.raises(UserError, match=sentence):
        CellTopology(1, 2, 1, operations)


def test_an_output_that_is_none():
    with pytest.raises(UserError, match="output is 'sum'; it is one of concat, mean, last"):
        CellTopology(1, 1, 1, ("a",), output="sum")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"nodes": 0}, "has 2 given and 0 searched nodes; it needs one of each or more"),
        ({"keep": 3}, r"keep 3 edges, and the first searched one has 2; let them keep 1 to 2, or"),
        ({"keep": 0}, "keep 0 edges"),
        ({"operations": ()}, "edge are none at all; name one or more"),
        ({"operations": ("a", "b", "a")}, "edge are a, b, a; name one or more, each once"),
        ({"operations": (("a", "b"), ("a", "a"))}, "edge are a, a; name"),
    ],
)
def test_cells_that_nothing_could_be_derived_of(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        CellTopology(**{"inputs": 2, "nodes": 1, "keep": 2, "operations": ("a", "b")} | changes)


def test_all_edges_are_kept_in_their_order_and_none_competes():
    table = np.array([[3, 2, 1], [1, 3, 2], [1, 2, 3], [5, 1, 1], [1, 5, 5], [0, 0, 1]]) / 10
    assert strongest_edges(table, ALL) == [
        [("none", 0)],
        [("skip", 0), ("twice", 1)],
        [("none", 0), ("skip", 1), ("twice", 2)],
    ]


def test_edges_with_lists_of_their_own():
    table = np.array([[0.1, 0.9], [0.2, 0.3], [0.4, 0.4], [0.6, 0.1], [0.9, 0.5]])
    assert strongest_edges(table, BY_EDGE) == [[("a", 1), ("a", 0)], [("a", 1), ("d", 2)]]
    spread = by_operation(table, BY_EDGE)
    assert spread.shape == (5, 5) and np.isnan(spread).sum() == 15
    assert (spread[0, 0], spread[0, 1], spread[4, 1], spread[4, 4]) == (0.1, 0.9, 0.9, 0.5)
    alpha_heatmap(spread, BY_EDGE.all_operations, BY_EDGE.edge_names)
    assert by_operation(np.zeros([6, 3]), ALL).shape == (6, 3)


@pytest.mark.parametrize("topology", [ALL, BY_EDGE])
def test_random_and_chosen_cells_are_all_that_there_are(topology):
    def choices(node):
        first = topology.rows(node).start
        sources = itertools.combinations(range(topology.inputs + node), topology.kept(node))
        for some in sources:
            for names in itertools.product(*(topology.choices(first + s) for s in some)):
                yield tuple(zip(names, some, strict=True))

    expected = {*itertools.product(*map(list, map(choices, range(topology.nodes))))}
    random = np.random.default_rng(0)
    seen = {tuple(map(tuple, random_edges(topology, random))) for _ in range(len(expected) * 12)}
    assert seen == expected
    cells = {"cell": topology}
    oracle = keras_tuner.oracles.RandomSearchOracle(max_trials=400, seed=1)
    hyperparameters = keras_tuner.HyperParameters()
    chosen_cells(hyperparameters, cells)
    oracle.update_space(hyperparameters)
    for i in range(20):
        values = oracle.populate_space(str(i))["values"]
        trial = keras_tuner.HyperParameters()
        trial.values = values
        assert tuple(map(tuple, chosen_cells(trial, cells)["cell"])) in expected
