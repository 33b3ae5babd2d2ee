"""SGAS: what is decided, in which order, for good, and whole searches by it (METHODS.md 5.6)."""

import dataclasses
import math

import numpy as np
import pytest

from tests.support.toy_search import check_killed, config, search
from tf_darts.bilevel.epoch_rules import SearchFacts, SearchProbe
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.greedy import GreedyDecisions, _certainty, _spread, _without_none


def decided(cells, epochs, rule=None, mixing_of=None):
    """The history of a search whose mixing weights are `mixing_of(epoch)`, but for decisions."""
    rule = rule or GreedyDecisions(greedy_warm_up=0, greedy_epochs=1)
    facts = SearchFacts(cells, epochs)
    history = []
    for epoch in range(epochs):
        allowed = rule.directions(history, facts).allowed or {}
        mixing = {}
        for kind, free in mixing_of(epoch).items():
            table = free * allowed.get(kind, 1.0)
            total = table.sum(axis=1, keepdims=True)
            mixing[kind] = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
        probe = SearchProbe(
            cells,
            epoch + 1,
            epochs,
            mixing,
            derive(mixing, cells),
            None,
            None,
            parameters=0,
            reading=mixing,
            history=tuple(history),
        )
        monitors = {k: float(v) for k, v in rule.measure(probe).items()}
        listed = {kind: table.tolist() for kind, table in mixing.items()}
        history.append({"mixing": listed, "monitors": monitors})
    return history


def monitors(history):
    return [record["monitors"] for record in history]


# Two nodes with two given ones: rows 0, 1, and 2, 3, 4; each keeps two.
CELLS = {"cell": CellTopology(2, 2, 2, ("none", "a", "b"))}
TABLE = np.array(
    [
        [0.2, 0.7, 0.1],  # importance 0.8, q = 7/8, 1/8
        [0.6, 0.1, 0.3],  # 0.4, 1/4, 3/4
        [0.2, 0.4, 0.4],  # 0.8, and as unsure as can be
        [0.1, 0.1, 0.8],  # 0.9, 1/9, 8/9: the best of all
        [0.5, 0.1, 0.4],  # 0.5, 1/5, 4/5
    ]
)


def scores(table):
    """Criterion 1, from the formula, number by number."""
    importance, certainty = [], []
    for none, *others in table:
        q = [p / (1 - none) for p in others]
        importance.append(sum(others))
        certainty.append(1 + sum(x * math.log(x) for x in q) / math.log(len(q)))
    spread = [[(v - min(x)) / (max(x) - min(x)) for v in x] for x in (importance, certainty)]
    return [i * c for i, c in zip(*spread, strict=True)]


def test_the_order_of_decisions_on_a_table_by_hand():
    order = np.argsort(scores(TABLE))[::-1].tolist()
    assert order[:3] == [3, 0, 4]
    history = decided(CELLS, 6, mixing_of=lambda _: {"cell": TABLE})
    # Rows 3 and 4 are two of the second node: row 2 vanishes. Then row 1 is the only one left.
    assert monitors(history) == [
        {"decided/cell_3": 2.0},
        {"decided/cell_0": 1.0},
        {"decided/cell_4": 2.0},
        {"decided/cell_1": 2.0},
        {},
        {},
    ]
    last = np.array(history[-1]["mixing"]["cell"])
    np.testing.assert_array_equal(last, [[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 1], [0, 0, 1]])
    assert derive({"cell": last}, CELLS)["cell"] == [[("a", 0), ("b", 1)], [("b", 1), ("b", 2)]]


def test_factors_of_whole_edges_are_not_in_the_scores():
    """A factor that halves with every node would make the first edges the surest."""
    factors = np.array([0.5, 0.5, 0.1, 0.1, 0.1])[:, np.newaxis]
    rule = GreedyDecisions(greedy_warm_up=0, greedy_epochs=1)
    plain = decided(CELLS, 4, rule, lambda _: {"cell": TABLE})

    class Measured(GreedyDecisions):
        def measure(self, probe):
            mixing = {kind: table * factors for kind, table in probe.mixing.items()}
            before = [
                record | {"mixing": {k: np.array(t) * factors for k, t in record["mixing"].items()}}
                for record in probe.history
            ]
            return super().measure(probe._replace(mixing=mixing, history=tuple(before)))

    with_factors = Measured(greedy_warm_up=0, greedy_epochs=1)
    assert monitors(decided(CELLS, 4, with_factors, lambda _: {"cell": TABLE})) == monitors(plain)


def test_settled_edges_count_with_the_weights_that_they_had():
    """While no free weight moves scores stay, so the order is that of the first table's."""
    cells = {"cell": CellTopology(2, 3, 2, ("none", "a", "b", "c"))}
    (topology,) = cells.values()
    for seed in range(20):
        table = np.random.default_rng(seed).dirichlet(np.ones(4), topology.edges)
        kept = []
        for row in np.argsort(-np.array(scores(table)), kind="stable").tolist():
            beside = next(rows for n in range(3) if row in (rows := range(9)[topology.rows(n)]))
            if len(set(kept) & set(beside)) < 2:
                kept.append(row)
        history = decided(cells, 6, mixing_of=lambda _, table=table: {"cell": table})
        names = [name for measured in monitors(history) for name in measured]
        assert names == [f"decided/cell_{row}" for row in kept], seed


def test_a_decided_row_never_changes_whatever_others_do():
    random = np.random.default_rng(0)
    cells = find_space("convolutional").topologies
    history = decided(
        cells,
        50,
        GreedyDecisions(),
        lambda _: {
            kind: random.dirichlet(np.ones(t.columns), t.edges) for kind, t in cells.items()
        },
    )
    when = [epoch for epoch, measured in enumerate(monitors(history)) if measured]
    assert when == [9, 14, 19, 24, 29, 34, 39, 44]  # the paper's 50 epochs
    for kind, topology in cells.items():
        rows, nodes = [], []
        for epoch in when:
            ((name, column),) = [
                item for item in history[epoch]["monitors"].items() if f"/{kind}_" in item[0]
            ]
            rows.append(int(name.rpartition("_")[2]))
            assert topology.operations[int(column)] != "none"
            for later in history[epoch + 1 :]:
                row = later["mixing"][kind][rows[-1]]
                assert row == (np.arange(topology.columns) == column).tolist()
        nodes = [node for node in range(4) for r in rows if r in range(14)[topology.rows(node)]]
        assert sorted(nodes) == [0, 0, 1, 1, 2, 2, 3, 3] and len(set(rows)) == 8
        gone = np.array(history[-1]["mixing"][kind])[[r for r in range(14) if r not in rows]]
        assert (gone == 0).all()


def test_equal_values_tell_no_edges_apart_and_divide_by_nothing():
    np.testing.assert_array_equal(_spread(np.full(3, 0.4)), np.ones(3))
    # One importance everywhere: the certainty decides alone; then of equals the first.
    cells = {"cell": CellTopology(2, 1, 2, ("none", "a", "b"))}
    table = np.array([[0.2, 0.4, 0.4], [0.2, 0.1, 0.7]])
    history = decided(cells, 2, mixing_of=lambda _: {"cell": table})
    assert [list(m) for m in monitors(history)] == [["decided/cell_1"], ["decided/cell_0"]]
    equal = decided(cells, 2, mixing_of=lambda _: {"cell": np.full([2, 3], 1 / 3)})
    assert monitors(equal) == [{"decided/cell_0": 1.0}, {"decided/cell_1": 1.0}]


def test_certainty_at_its_ends():
    topology = CellTopology(3, 1, 2, ("none", "a", "b"))
    shares = _without_none(np.array([[0.5, 0.5, 0], [0.2, 0.4, 0.4], [1.0, 0, 0]]), topology)
    np.testing.assert_allclose(shares, [[1, 0], [0.5, 0.5], [0, 0]] @ np.eye(2, 3, 1))
    np.testing.assert_allclose(_certainty(shares, topology)[:2], [1, 0], atol=1e-15)
    alone = CellTopology(1, 1, 1, ("none", "a"))
    np.testing.assert_array_equal(_certainty(np.array([[0.0, 1.0]]), alone), [1.0])


def test_criterion_2_prefers_the_edge_that_did_not_change():
    cells = {"cell": CellTopology(3, 1, 2, ("none", "a", "b"))}

    def mixing(epoch):
        swings = [0.1, 0.1, 0.8] if epoch % 2 else [0.1, 0.8, 0.1]  # sure, and of another each time
        return {"cell": np.array([swings, [0.1, 0.22, 0.68], [0.4, 0.3, 0.3]])}

    def first(criterion):
        rule = GreedyDecisions(greedy_warm_up=3, greedy_criterion=criterion)
        return monitors(decided(cells, 4, rule, mixing))[-1]

    assert first(1) == {"decided/cell_0": 2.0}
    assert first(2) == {"decided/cell_1": 2.0}


def test_stability_is_the_mean_intersection_with_the_epochs_before():
    topology = CellTopology(3, 1, 2, ("none", "a", "b"))
    random = np.random.default_rng(1)
    tables = [random.dirichlet(np.ones(3), 3) for _ in range(7)]
    both = {c: GreedyDecisions(greedy_criterion=c)._scores(tables, topology) for c in (1, 2)}
    stability = []
    for row in range(3):
        q = [t[row, 1:] / t[row, 1:].sum() for t in tables]
        stability.append(np.mean([np.minimum(q[-1], other).sum() for other in q[-5:-1]]))
    spread = (np.array(stability) - min(stability)) / (max(stability) - min(stability))
    np.testing.assert_allclose(both[2], both[1] * spread, rtol=1e-12)


def test_where_none_may_be_chosen_an_edge_may_have_it():
    cells = {"cell": CellTopology(1, 2, None, ("none", "a", "b"), none_competes=True)}
    table = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]])
    history = decided(cells, 4, mixing_of=lambda _: {"cell": table})
    assert monitors(history)[-2] == {"decided/cell_0": 0.0}  # unimportant, and so the last


# For the toy's two decisions, of which a real recurrent cell has eight.
TOY = {"greedy_warm_up": 1, "greedy_epochs": 1, "greedy_criterion": 2}


def toy_sgas():
    composed = config(epochs=4, alpha_scale=1.0).composed({"method": "sgas"})
    return dataclasses.replace(composed, **TOY)


def test_killed_at_any_step_it_is_the_same(tmp_path, eagerly):
    history = check_killed(tmp_path, toy_sgas(), steps=2)
    table = np.array(history[-1]["mixing"]["cell"])
    assert sorted(table.sum(axis=1)) == [0, 1, 1] and set(table.flat) == {0, 1}
    # What is derived is what was decided.
    chosen = {k: v for record in history for k, v in record["monitors"].items() if "decided" in k}
    assert len(chosen) == 2
    for name, column in chosen.items():
        assert table[int(name.rpartition("_")[2]), int(column)] == 1


def test_a_search_is_not_compiled_anew_after_a_decision(tmp_path):
    _, _, history = search(tmp_path, made=toy_sgas())
    assert set(np.ravel(history[-1]["mixing"]["cell"])) == {0, 1}


@pytest.mark.parametrize("dataset", ["cifar10", "ptb"])
def test_the_usual_settings_fit_the_usual_search(dataset):
    assert configure({"mode": "search", "dataset": dataset, "method": "sgas"}).label == "sgas"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 45}, "takes the last of 8 decisions after epoch 45, and --epochs=45"),
        ({"relaxation": "sigmoid"}, "do not sum to 1"),
        ({"rules": "warm_up,greedy_decisions"}, "give --greedy_warm_up=15 or more"),
        ({"greedy_history": 9}, "no meaning with --greedy_criterion=1"),
        ({"derivation": "perturbation"}, "both decide edges"),
        ({"derivation": "skip_limit"}, "which --derivation=skip_limit may choose otherwise"),
        ({"derivation": "best_sampled"}, "which --derivation=best_sampled may choose otherwise"),
        (
            {"derivation": "budget", "max_multiply_adds": 10**9},
            "which --derivation=budget may choose otherwise",
        ),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    asked = {"mode": "search", "dataset": "cifar10", "method": "sgas"}
    with pytest.raises(UserError) as error:
        configure(asked | settings)
    assert words in str(error.value)
    assert configure(asked | {"epochs": 46}).epochs == 46
    later = {"rules": "warm_up,greedy_decisions", "greedy_warm_up": 15, "epochs": 52}
    assert configure(asked | later).greedy_warm_up == 15
    assert configure(asked | {"greedy_criterion": 2, "greedy_history": 9}).greedy_history == 9
