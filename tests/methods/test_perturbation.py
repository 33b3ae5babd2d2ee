"""Perturbation-based selection: what it chooses, in which order, and whole searches by it."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import Events, Killed, Numbers, Toy, without_time
from tf_darts.bilevel.engine import SearchEngine
from tf_darts.bilevel.epoch_rules import SearchFacts, SearchProbe
from tf_darts.bilevel.step import BilevelStep
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.presets import configure
from tf_darts.data.facts import ImageFacts
from tf_darts.errors import UserError
from tf_darts.methods.perturbation import Perturbation
from tf_darts.methods.sampled_cells import one_hot
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.nasbench201 import make
from tf_darts.spaces.nasbench201.settings import NasBench201SearchConfig
from tf_darts.testing.derivatives import random
from tf_darts.testing.method import toy_config

EPOCHS = 2


def selected(cells, mixing, worth, *, seed=0, **settings):
    """The cell that is selected without any training in between, and the history of decisions."""
    facts = SearchFacts(cells, EPOCHS, seed, 0.5)
    derivation = Perturbation(**{"perturbation_epochs": 1, **settings}).of(facts)
    history = [{"monitors": {}} for _ in range(EPOCHS - 1)]
    while True:
        said = derivation.directions(history, facts)
        reading = {
            kind: np.where(table.sum(1, keepdims=True) <= 1, table, mixing[kind])
            for kind, table in said.allowed.items()
        }
        probe = SearchProbe(
            cells, len(history) + 1, EPOCHS, reading, {}, None, None, 0, reading, worth
        )
        history.append({"monitors": dict(derivation.measure(probe))})
        if len(history) == EPOCHS + derivation.more_epochs(cells):
            return derivation.edges_after(reading, cells, history), history


def weights(cells, seed=0):
    powers = {
        kind: np.exp(np.random.default_rng(seed).normal(size=(t.edges, t.columns)))
        for kind, t in cells.items()
    }
    return {kind: table / table.sum(1, keepdims=True) for kind, table in powers.items()}


LINE = {"cell": CellTopology(1, 1, None, ("none", "dead", "noise", "signal"), none_competes=True)}


def linear(values):
    """The worth of a linear supernet: minus the error of Σ values · m against 1."""
    return lambda tables, _: -abs(1.0 - float((tables["cell"] * values).sum()))


@pytest.mark.parametrize("none_competes", [True, False])
def test_the_operation_with_the_signal_wins_whatever_its_weight(none_competes):
    cells = {"cell": CellTopology(1, 1, None, LINE["cell"].operations, none_competes)}
    mixing = {"cell": np.array([[0.3, 0.4, 0.2, 0.1]])}
    worth = linear(np.array([0.0, 0.0, 0.1, 8.0]))
    edges, _ = selected(cells, mixing, worth)
    assert edges["cell"] == [[("signal", 0)]]
    assert derive(mixing, cells)["cell"] != edges["cell"]


def test_a_dead_operation_wins_only_where_no_removal_hurts():
    mixing = {"cell": np.array([[0.3, 0.4, 0.2, 0.1]])}
    assert selected(LINE, mixing, linear([0, 0, 1.0, 0.5]))[0]["cell"] == [[("noise", 0)]]
    # Too much of both: without either it is better than before.
    assert selected(LINE, mixing, linear([0, 0, 9.0, 9.0]))[0]["cell"] == [[("none", 0)]]


def test_one_weight_is_taken_out_and_the_others_stay_as_they_are():
    topology = CellTopology(2, 2, 2, ("none", "a", "b", "c"))
    cells, tried = {"normal": topology, "reduce": topology}, []
    mixing = weights(cells)

    def worth(tables, batches):
        tried.append({kind: np.array(table) for kind, table in tables.items()})
        assert batches == 3
        return 0.0

    _, history = selected(cells, mixing, worth, perturbation_batches=3)
    # 5 edges of 3 operations of 2 kinds of cell; then the second node, with 3 edges, keeps 2.
    assert len(tried) == 5 * 3 * 2 + 2 * 3
    decisions = [name for record in history for name in record["monitors"]]
    assert sorted(decisions[:10]) == sorted(f"chosen/{k}_{row}" for k in cells for row in range(5))
    assert [name.partition("_")[0] for name in decisions[10:]] == [
        "deleted/normal",
        "deleted/reduce",
    ]
    first = int(decisions[0].rpartition("_")[2])
    for column, tables in zip((1, 2, 3), tried[:3], strict=True):
        wanted = np.array(mixing["normal"])
        wanted[first, column] = 0.0
        np.testing.assert_array_equal(tables["normal"], wanted)
        np.testing.assert_array_equal(tables["reduce"], mixing["reduce"])
    # The reduction cell's is tried with the normal cell's decision, of equals the first.
    np.testing.assert_array_equal(tried[3]["normal"][first], [0, 1, 0, 0])


def test_edges_are_deleted_one_after_another_from_what_is_left():
    """Of four edges two are kept; what the third is worth depends on whether the first is there."""
    cells = {"cell": CellTopology(4, 1, 2, ("a",))}

    def worth(tables, _):
        out = tuple(np.flatnonzero(tables["cell"][:, 0] == 0))
        return {(0,): 9.0, (1,): 8.0, (0, 2): 7.0, (0, 3): 6.0}.get(out, 0.0)

    edges, history = selected(cells, {"cell": np.ones([4, 1])}, worth)
    # Trying each edge of the whole node again would delete edges 0 and 1.
    assert sorted(source for _, source in edges["cell"][0]) == [1, 3]
    assert history[-1]["monitors"] == {"deleted/cell_0": 1.0, "deleted/cell_2": 1.0}
    # Of equally good ones the last goes.
    edges, _ = selected(cells, {"cell": np.ones([4, 1])}, lambda *_: 0.0)
    assert sorted(source for _, source in edges["cell"][0]) == [0, 1]


def test_the_order_is_the_seed_s():
    cells = find_space("convolutional").topologies
    values = weights(cells, 7)

    def worth(tables, _):
        return float(sum((table * values[kind]).sum() for kind, table in tables.items()))

    def order(seed):
        _, history = selected(cells, weights(cells), worth, seed=seed)
        return [tuple(record["monitors"]) for record in history]

    first, again, other = order(1), order(1), order(2)
    assert first == again != other
    # Edges of the two kinds are decided together, in orders of their own.
    rows = [[int(name.rpartition("_")[2]) for name in names] for names in first if names]
    assert all(len(pair) == 2 for pair in rows[:14]) and rows[:14] != [[r, r] for r in range(14)]
    for kind in range(2):
        assert sorted(pair[kind] for pair in rows[:14]) == list(range(14))


@pytest.mark.parametrize(
    ("space", "rounds"), [("nasbench201", 6), ("convolutional", 17), ("recurrent", 43)]
)
def test_decisions_and_epochs(space, rounds):
    """NAS-Bench-201: 6 and 25 more epochs, as published; the convolutional space: 17, 80 more."""
    cells = find_space(space).topologies
    assert Perturbation().more_epochs(cells) == 5 * (rounds - 1)
    _, history = selected(cells, weights(cells), lambda *_: 0.0)
    decided = [bool(record["monitors"]) for record in history]
    assert decided == [False] * (EPOCHS - 1) + [True] * rounds
    edges, _ = selected(cells, weights(cells), lambda *_: 0.0)
    assert all(len(kept) == cells[k].kept(n) for k in cells for n, kept in enumerate(edges[k]))


def test_between_decisions_w_learns_at_a_tenth_of_its_rate():
    facts = SearchFacts(LINE, 2, 0, 0.025)
    rule = Perturbation()
    rates = [
        rule.directions([{"monitors": {}}] * epoch, facts).weight_learning_rate
        for epoch in range(4)
    ]
    assert rates == [None, None, pytest.approx(0.0025), pytest.approx(0.0025)]


def searched(path, *callbacks):
    """A search of two steps an epoch: one, and three for the four decisions about its cell."""
    made = toy_config(
        "darts_pt", perturbation_epochs=1, perturbation_batches=1, epochs=1, alpha_scale=1.0
    )
    run = RunDirectory(path, {})
    try:
        engine = SearchEngine(made, Toy(), Numbers(steps=2), run, callbacks)
        return engine, engine.search(StopRequest())
    finally:
        run.close()


def test_in_the_end_the_supernet_is_that_of_the_cell(tmp_path, eagerly):
    engine, history = searched(tmp_path)
    assert len(history) == 1 + 3  # three edges, and a node with one too many
    edges = engine.supernet.genotype_class.from_dict(history[-1]["genotype"])
    cell = one_hot(
        {"cell": [list(node) for node in edges.cells["cell"].nodes]}, engine.supernet.cells
    )
    # The tables of the epoch after it, if there were one.
    engine._begin_epoch(len(history))
    mixture = engine._step.mixture
    np.testing.assert_array_equal(mixture.tables()["cell"], cell["cell"])
    batches = list(Numbers().evaluation())
    alone, derived = (mixture.score(batches, 3, lambda: False, tables) for tables in (None, cell))
    assert alone == derived
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["epoch"], result["epochs"]) == (4, 4)
    assert result["genotype"] == history[-1]["genotype"]


def test_killed_between_decisions_it_is_the_same(tmp_path, eagerly):
    engine, history = searched(tmp_path / "whole")
    for step in (1, 4, 7):  # in the search, and between decisions
        path = tmp_path / f"killed_{step}"
        with pytest.raises(Killed):
            searched(path, Events(kill_at=step))
        resumed, again = searched(path)
        for kind, alpha in engine.alphas.items():
            np.testing.assert_array_equal(resumed.alphas[kind].numpy(), alpha.numpy())
        for mine, weight in zip(resumed.supernet.weights, engine.supernet.weights, strict=True):
            np.testing.assert_array_equal(mine.numpy(), weight.numpy())
        assert without_time(again) == without_time(history)
    assert [len(record["monitors"]) for record in history] == [2] * 4  # the skips, and a decision


def bench(**settings):
    cells = find_space("nasbench201").topologies
    sizes = {"channels": 2, "cells_per_stage": 1, "batch_size": 4}
    config = NasBench201SearchConfig(**sizes, hypergradient="first_order", **settings)
    supernet = make.supernet(config, ImageFacts((8, 8, 3), 3), cells)
    return BilevelStep(supernet, config)


def test_it_judges_at_the_batches_own_statistics(eagerly):
    """Moving statistics, which are those of the whole mixture, are neither read nor moved."""
    step = bench()
    batches = [
        (random(i, 4, 8, 8, 3, dtype="float32") * 3.0 + 5.0, tf.constant([0, 1, 2, 0]))
        for i in range(2)
    ]
    tables = {"cell": weights(step.supernet.cells)["cell"]}
    before = [value.numpy() for value in step.supernet.statistics]
    judged = step.mixture.score_in_training_mode(batches, 4, tables)
    assert judged == step.mixture.score_in_training_mode(batches, 4, tables)
    for value, old in zip(step.supernet.statistics, before, strict=True):
        np.testing.assert_array_equal(value.numpy(), old)
    evaluated = step.mixture.score(batches, 4, lambda: False, tables)
    for value in step.supernet.statistics:
        value.assign(value * 0.0 + 2.0)
    assert step.mixture.score_in_training_mode(batches, 4, tables) == judged
    assert step.mixture.score(batches, 4, lambda: False, tables) != evaluated
    # The mean over batches, each as a step has it.
    losses = [
        step.supernet.loss(
            [tf.convert_to_tensor(w) for w in step.supernet.weights],
            {"cell": tf.constant(tables["cell"], tf.float32)},
            batch,
            (),
            tf.zeros([2], tf.int32),
        ).loss
        for batch in batches
    ]
    assert judged["loss"] == pytest.approx(float(np.mean(losses)), rel=1e-6)


def test_what_edges_draw_differs_from_batch_to_batch_and_not_from_cell_to_cell(
    eagerly, monkeypatch
):
    step = bench()
    step.mixture.begin_epoch(10)
    arguments, seeds, shares = step.mixture.losses.arguments, [], []

    def spied(mixing, alphas, moment):
        seeds.append(tuple(moment.seed.numpy()))
        return arguments(mixing, alphas, moment)

    def loss(*args, progress=0.0, **kwargs):
        shares.append(float(progress))
        return judged(*args, progress=progress, **kwargs)

    judged = step.supernet.loss
    monkeypatch.setattr(step.mixture.losses, "arguments", spied)
    monkeypatch.setattr(step.supernet, "loss", loss)
    batches = [(random(i, 4, 8, 8, 3, dtype="float32"), tf.constant([0, 1, 2, 0])) for i in (0, 1)]
    for seed in (0, 1):
        tables = {"cell": weights(step.supernet.cells, seed)["cell"]}
        step.mixture.score_in_training_mode(batches, 4, tables)
    first, second = seeds[:2]
    assert first != second and seeds[2:] == [first, second]
    assert shares == pytest.approx([0.2] * 4)  # of 50 epochs ten are over


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"relaxation": "sigmoid"}, "--relaxation=sigmoid do not sum to 1"),
        ({"rules": "eigenvalue_stop"}, "eigenvalue_stop may stop the search before"),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    asked = {"mode": "search", "dataset": "cifar10", "method": "darts_pt"}
    assert configure(asked).label == "darts_pt"
    with pytest.raises(UserError, match=words):
        configure(asked | settings)
