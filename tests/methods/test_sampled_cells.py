"""Random search with weight sharing: what is drawn, what is scored, and which cell wins."""

import itertools
import json
import re
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.support.toy_search import Events, Killed, Numbers, Toy, without_time
from tf_darts.bilevel.engine import SearchEngine
from tf_darts.bilevel.epoch_rules import SearchFacts, SearchProbe
from tf_darts.bilevel.relaxation import Moment
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.presets import configure
from tf_darts.data.batches import SearchBatch
from tf_darts.errors import UserError
from tf_darts.methods.sampled_cells import BestSampled, Uniform, one_hot
from tf_darts.runtime import busy
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.supernet import Evaluation, LossResult
from tf_darts.testing.method import toy_config

DRAWS = 4000


def draws(cells, count=DRAWS, allowed=None):
    """The tables of so many steps, [draws, edges, operations] for each kind of cell."""
    relaxation = Uniform().of(SearchFacts(cells, 2))
    alphas = {kind: tf.zeros([t.edges, t.columns]) for kind, t in cells.items()}
    share = tf.constant(0.5)

    def drawn(seed):
        return relaxation.mixing(alphas, Moment(seed, share, share, allowed or {}))

    seeds = tf.stack([tf.range(count), tf.fill([count], 7)], axis=1)
    signature = {kind: tf.float32 for kind in cells}
    tables = tf.function(lambda: tf.map_fn(drawn, seeds, fn_output_signature=signature))()
    return {kind: table.numpy() for kind, table in tables.items()}


def check_uniform(counts):
    """χ² against equal frequencies: fails by chance once in 10,000."""
    assert stats.chisquare(counts).pvalue > 1e-4, counts


@pytest.mark.parametrize("space", ["convolutional", "recurrent", "nasbench201"])
def test_edges_and_operations_are_uniform(space):
    cells = find_space(space).topologies
    for kind, tables in draws(cells).items():
        topology = cells[kind]
        assert np.isin(tables, (0.0, 1.0)).all() and (tables.sum(axis=2) <= 1).all()
        for node in range(topology.nodes):
            there = tables[:, topology.rows(node)].sum(axis=2)
            assert (there.sum(axis=1) == topology.kept(node)).all()
            if topology.keep is None:
                continue
            # Which edges are kept together.
            sets = list(itertools.combinations(range(there.shape[1]), topology.keep))
            found = [sum(there[:, list(s)].all(axis=1)) for s in sets]
            assert sum(found) == DRAWS
            if len(sets) > 1:
                check_uniform(found)
        for edge in range(topology.edges):
            names, choices = topology.operations_of(edge), topology.choices(edge)
            counts = dict(zip(names, tables[:, edge].sum(axis=0), strict=True))
            assert all(counts[name] == 0 for name in names if name not in choices)
            check_uniform([counts[name] for name in choices])


def test_two_edges_are_drawn_apart_from_each_other_and_kinds_of_cell_too():
    tables = draws(find_space("convolutional").topologies)
    first, second = (tables["normal"][:, row].argmax(axis=1) for row in (0, 1))
    pairs = np.zeros([8, 8])
    np.add.at(pairs, (first, second), 1)
    check_uniform(pairs[1:, 1:].ravel())  # node 0 keeps both of its edges
    pairs = np.zeros([8, 8])
    np.add.at(pairs, (first, tables["reduce"][:, 0].argmax(axis=1)), 1)
    check_uniform(pairs[1:, 1:].ravel())


def test_what_is_not_allowed_is_not_drawn():
    cells = {"cell": CellTopology(1, 2, 1, ("none", "a", "b", "c"))}
    allowed = np.ones([3, 4])
    allowed[0] = [1, 0, 1, 0]
    allowed[1] = 0
    tables = draws(cells, 500, {"cell": tf.constant(allowed, tf.float32)})["cell"]
    np.testing.assert_array_equal(tables[:, 0], [[0, 0, 1, 0]] * 500)
    # The node that lost one of its two edges has the other in every draw.
    assert not tables[:, 1].any() and (tables[:, 2].sum(axis=1) == 1).all()


def test_the_reading_is_the_mean_of_an_edge_s_draws():
    cells = {"cell": CellTopology(1, 2, 1, ("none", "a", "b"))}
    share = tf.constant(0.5)
    moment = Moment(tf.zeros([2], tf.int32), share, share, {})
    reading = Uniform().of(SearchFacts(cells, 2)).reading({"cell": tf.ones([3, 3])}, moment)
    np.testing.assert_array_equal(reading["cell"], [[0.0, 0.5, 0.5]] * 3)


def test_a_table_of_a_cell():
    cells = find_space("convolutional").topologies
    tables = one_hot(random_cells(cells, 3), cells)
    for kind, topology in cells.items():
        kept = [tables[kind][topology.rows(node)].sum() for node in range(topology.nodes)]
        assert kept == [2.0] * 4


def sampled(cells, worth, seed=0, **settings):
    facts = SearchFacts(cells, 3, seed)
    derivation = BestSampled(**settings).of(facts)
    history = []
    for epoch in range(1, 4):
        probe = SearchProbe(cells, epoch, 3, {}, {}, None, None, 0, {}, worth)
        history.append({"monitors": dict(derivation.measure(probe))})
    mixing = {kind: np.ones([t.edges, t.columns]) for kind, t in cells.items()}
    return derivation.edges_after(mixing, cells, history), history


def test_no_cell_is_taken_of_a_supernet_that_gives_no_numbers():
    cells = find_space("nasbench201").topologies
    with pytest.raises(UserError, match="it has diverged"):
        sampled(cells, lambda *_: -np.inf, sampled_cells=4, sampled_finalists=2)


def ranked(tables):
    """A number that hardly two cells have in common."""
    flat = np.concatenate([np.ravel(table) for table in tables.values()])
    return float(flat @ np.arange(flat.size))


@pytest.mark.parametrize("space", ["convolutional", "recurrent", "nasbench201"])
def test_the_best_of_the_finalists_wins(space):
    cells, asked = find_space(space).topologies, []

    def worth(tables, batches):
        asked.append((batches, {kind: table.tolist() for kind, table in tables.items()}))
        # On all data, another cell is best than on the first batches.
        return ranked(tables) if batches else -ranked(tables)

    edges, history = sampled(cells, worth, sampled_cells=20, sampled_batches=4, sampled_finalists=3)
    assert [batches for batches, _ in asked] == [4] * 20 + [0] * 3
    assert [record["monitors"] == {} for record in history] == [True, True, False]
    values = [ranked(tables) for _, tables in asked[:20]]
    finalists = sorted(range(20), key=lambda number: -values[number])[:3]
    assert [asked[20 + i][1] for i in range(3)] == [asked[number][1] for number in finalists]
    best = min(finalists, key=lambda number: values[number])
    assert history[-1]["monitors"] == {"sampled/cell": best, "sampled/worth": -values[best]}
    assert {k: t.tolist() for k, t in one_hot(edges, cells).items()} == asked[best][1]


def test_it_says_how_many_cells_are_scored_while_it_takes_long(capsys, monkeypatch):
    monkeypatch.setattr(busy, "PATIENCE", 0.01)
    monkeypatch.setattr(busy, "INTERVAL", 0.02)

    def worth(tables, batches):
        time.sleep(0.05)
        return ranked(tables)

    cells = find_space("nasbench201").topologies
    sampled(cells, worth, sampled_cells=4, sampled_finalists=2)
    said = capsys.readouterr().out
    assert re.search(r"^Scoring random cells: [123] of 4 in 0 s so far, 0 s left …$", said, re.M)
    assert re.search(r"^Scoring the best of them on all validation data: 1 of 2 in ", said, re.M)


def test_the_same_seed_draws_the_same_cells():
    cells = find_space("nasbench201").topologies

    def drawn(seed):
        seen = []
        sampled(cells, lambda t, _: seen.append(t["cell"].tolist()) or 0.0, seed, sampled_cells=9)
        return seen[:9]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len({str(table) for table in drawn(1)}) > 7


# Of each edge, how much an operation tells of its node's number: what a cell can explain is known.
TELLS = np.array([[0.0, 0.2, 0.9, 0.5, 0.3], [0.0, 0.3, 0.1, 0.6, 0.8], [0.0, 0.7, 0.5, 0.2, 0.4]])
NODES = [0, 1, 1]


class Telling(Toy):
    """A regression of the sum of two numbers on what operations tell of them, w for each."""

    def __init__(self):
        super().__init__()
        self._weights = [keras.Variable(np.zeros(15), dtype=keras.config.floatx(), name="w")]

    @property
    def batch_signature(self):
        return (tf.TensorSpec([None, 3, 5], "float32"), tf.TensorSpec([None], "float32"))

    def _error(self, weights, mixing, batch, state):
        features, target = batch
        use = mixing["cell"] * tf.reshape(weights[0], [3, 5])
        return tf.reduce_mean((target - tf.einsum("beo,eo->b", features, use)) ** 2)

    def loss(self, weights, mixing, batch, state, seed, *, progress=0.0, regularized=False):
        loss = self._error(weights, mixing, batch, state)
        return LossResult(loss, {"loss": loss}, state, [tf.zeros([])])

    def evaluation_sums(self, mixing, batch, state):
        count = tf.cast(tf.shape(batch[1])[0], tf.float32)
        weights = [tf.convert_to_tensor(self._weights[0])]
        return Evaluation(
            {"loss": self._error(weights, mixing, batch, state) * count}, count, state
        )


class Told(Numbers):
    """What is told of two standard normal numbers."""

    evaluation_batch_size = 64

    def _batch(self, *key, size):
        rng = np.random.default_rng(key)
        numbers, noise = rng.normal(size=(size, 2)), rng.normal(size=(size, 3, 5))
        tells = numbers[:, NODES, None] * TELLS + np.sqrt(1 - TELLS**2) * noise
        return tells.astype(np.float32), numbers.sum(axis=1).astype(np.float32)

    def epoch(self, epoch, start_step=0):
        for step in range(start_step, self._steps):
            one, other = (self._batch(epoch, step, i, size=32) for i in range(2))
            yield SearchBatch(one, other, 1.0, step == 0)

    def evaluation(self):
        for i in range(4):
            yield self._batch(99, 99, i, size=64)


def test_shared_weights_rank_cells_as_their_own_would(tmp_path, eagerly):
    """Of 32 cells: what is left unexplained is 1 - f² for each node's number."""
    settings = {"sampled_cells": 60, "sampled_batches": 4, "sampled_finalists": 1}
    made = toy_config("rsps", **settings, weight_learning_rate=0.05, momentum=0.0, epochs=2)
    run = RunDirectory(tmp_path, {})
    try:
        engine = SearchEngine(made, Telling(), Told(steps=60), run)
        history = engine.search(StopRequest())
    finally:
        run.close()
    known, judged = [], []
    for first, second, third in itertools.product(range(1, 5), range(5), range(5)):
        if bool(second) == bool(third):
            continue
        told = [(0, first), (1, second) if second else (2, third)]
        table = np.zeros([3, 5])
        for edge, column in told:
            table[edge, column] = 1.0
        known.append(sum(1 - TELLS[edge, column] ** 2 for edge, column in told))
        mixture = engine._step.mixture
        judged.append(
            mixture.score_in_training_mode(Told().evaluation(), 64, {"cell": table})["loss"]
        )
    assert len(known) == 32
    assert stats.spearmanr(known, judged).statistic > 0.8
    result = json.loads((tmp_path / "result.json").read_text())
    cell = history[-1]["genotype"]["recurrent"]
    assert result["genotype"]["recurrent"] == cell
    names = find_space("recurrent").topologies["cell"].operations
    chosen = [(0, names.index(cell[0][0])), (1 + cell[1][1], names.index(cell[1][0]))]
    assert sum(1 - TELLS[e, c] ** 2 for e, c in chosen) <= sorted(known)[2]
    # α was never moved, and nothing of it is in the cell.
    assert "validation_batch_loss" not in history[0]


def test_killed_at_any_step_it_is_the_same(tmp_path, eagerly):
    def searched(path, *callbacks):
        made = toy_config("rsps", sampled_cells=4, sampled_finalists=2)
        run = RunDirectory(path, {})
        try:
            engine = SearchEngine(made, Toy(), Numbers(steps=2), run, callbacks)
            history = engine.search(StopRequest())
            return [weight.numpy() for weight in engine.supernet.weights], without_time(history)
        finally:
            run.close()

    weights, history = searched(tmp_path / "whole")
    assert set(history[-1]["monitors"]) == {"skips/cell", "sampled/cell", "sampled/worth"}
    for step in range(1, 4):
        with pytest.raises(Killed):
            searched(tmp_path / f"killed_{step}", Events(kill_at=step))
        again, records = searched(tmp_path / f"killed_{step}")
        assert all(map(np.array_equal, again, weights)) and records == history


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sampled_cells": 5}, "--sampled_finalists=10 are more than --sampled_cells=5"),
        ({"rules": "eigenvalue_stop", "relaxation": "softmax"}, "may stop the search before"),
        ({"derivation": "strongest_edges"}, "would read a cell off it; give --derivation=best_sam"),
        ({"rules": "progressive_shrinking"}, "so --rules=progressive_shrinking has no meaning"),
        ({"rules": "", "alpha_terms": "beta_decay"}, "so --alpha_terms=beta_decay has no meaning"),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    asked = {"mode": "search", "dataset": "cifar10", "method": "rsps"}
    assert configure(asked).label == "rsps"
    with pytest.raises(UserError, match=words):
        configure(asked | settings)
