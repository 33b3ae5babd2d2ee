"""What the two steps see of a relaxation, and how edges' factors reach a supernet."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.registries import forget_members
from tests.support.toy_search import Toy
from tf_darts.bilevel.relaxation import Relaxation, softmax
from tf_darts.bilevel.step import BilevelStep
from tf_darts.config import methods
from tf_darts.testing.method import toy_config

TRAIN, VALIDATION = np.float64([1.0, 1.1, 0.9, 1.2]), np.float64([0.8, 1.0, 1.3, 1.1])


@pytest.fixture(autouse=True)
def _registry(monkeypatch, float64):
    forget_members(monkeypatch)


class Recorder(Toy):
    """Keeps the mixing weights that its losses were given, eagerly."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def loss(self, weights, mixing, batch, state, seed, **more):
        self.seen.append((np.array(mixing["cell"]), more))
        return super().loss(weights, mixing, batch, state, seed, **more)


def step_of(relaxation, supernet=None, **settings):
    methods._parts["relaxation"].pop("tried", None)
    methods.register("tried")(type("Tried", (relaxation,), {}))
    settings = {"relaxation": "tried", "epochs": 4, "alpha_scale": 1.0} | settings
    return BilevelStep(supernet or Toy(), toy_config("darts_first", **settings))


def taken(step, times=1):
    for _ in range(times):
        step(TRAIN, VALIDATION, 0.05)
    alphas = {name: value.numpy() for name, value in step.alphas.items()}
    return alphas["cell"], step.supernet.weights[0].numpy()


class Noisy(Relaxation):
    """The softmax; w's step sees it with noise."""

    def weight_mixing(self, alphas, moment):
        noise = tf.random.stateless_uniform([3, 5], moment.seed, -0.1, 0.1, alphas["cell"].dtype)
        return {"cell": softmax(alphas)["cell"] + noise}


class Plain(Relaxation):
    """The softmax."""


@pytest.mark.parametrize("estimate", ["first_order", "finite_difference", "exact"])
def test_what_w_s_step_sees_alone_leaves_the_hypergradient_as_it_is(estimate):
    noisy, noisy_w = taken(step_of(Noisy, hypergradient=estimate))
    plain, plain_w = taken(step_of(Plain, hypergradient=estimate))
    assert (noisy == plain).all(), "of the first step; later ones stand at other weights"
    assert (noisy_w != plain_w).any()


class Draws(Relaxation):
    """Gumbel noise on the logits."""

    def mixing(self, alphas, moment):
        noise = tf.random.stateless_normal([3, 5], moment.seed, dtype=alphas["cell"].dtype)
        return softmax({"cell": alphas["cell"] + noise})

    def reading(self, alphas, moment):
        return softmax(alphas)


def test_both_losses_of_a_hypergradient_have_one_draw_and_w_s_step_another(eagerly):
    supernet = Recorder()
    step = step_of(Draws, supernet, hypergradient="exact", alpha_learning_rate=1e-30)
    taken(step, times=2)
    tables = [table for table, _ in supernet.seen]
    # The unrolled gradient, the validation loss, the mixed product, and w's step; twice.
    assert len(tables) == 8
    for first in (0, 4):
        alpha_step, weight_step = tables[first : first + 3], tables[first + 3]
        assert all((table == alpha_step[0]).all() for table in alpha_step)
        assert (weight_step != alpha_step[0]).any()
    assert (tables[0] != tables[4]).any() and (tables[3] != tables[7]).any()


class Factors(Relaxation):
    """A factor for each edge, from parameters of their own."""

    def variables(self, cells, scale, seed):
        tables = super().variables(cells, scale, seed)
        edges = super().variables({"cell_edges": cells["cell"]}, scale, seed)["cell_edges"]
        edges.assign(edges * 0.0 + 0.1 * np.arange(15).reshape(3, 5))
        return tables | {"cell_edges": edges}

    def mixing(self, alphas, moment):
        return softmax({"cell": alphas["cell"]})

    def edge_factors(self, alphas, moment):
        return {"cell": tf.nn.softmax(alphas["cell_edges"][:, 0])}


def test_factors_are_in_the_mixing_weights_and_learn(eagerly):
    supernet = Recorder()
    step = step_of(Factors, supernet)
    before = step.alphas["cell_edges"].numpy()
    expected = np.exp(before[:, 0]) / np.exp(before[:, 0]).sum()
    taken(step)
    np.testing.assert_allclose(supernet.seen[0][0].sum(axis=1), expected, rtol=1e-12)
    assert "edge_factors" not in supernet.seen[0][1]
    assert (step.alphas["cell_edges"].numpy()[:, 0] != before[:, 0]).all()
    factors = tf.nn.softmax(step.alphas["cell_edges"][:, 0]).numpy()
    np.testing.assert_allclose(step.mixture.tables()["cell"].sum(axis=1), factors, rtol=1e-12)


class Bypass(Recorder):
    """An edge hands on a constant besides: its factor multiplies that too."""

    takes_edge_factors = property(lambda self: True)

    def loss(self, weights, mixing, batch, state, seed, *, edge_factors=None, **more):
        bypass = 0.5 * tf.reduce_sum(edge_factors["cell"])
        result = super().loss(weights, mixing, batch + bypass, state, seed, **more)
        self.seen[-1][1]["edge_factors"] = np.array(edge_factors["cell"])
        return result

    def evaluation_sums(self, mixing, batch, state, edge_factors=None):
        return super().evaluation_sums(mixing, batch + edge_factors["cell"][0], state)


def test_a_supernet_may_take_them_beside(eagerly):
    supernet = Bypass()
    step = step_of(Factors, supernet)
    taken(step)
    table, more = supernet.seen[0]
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(more["edge_factors"].sum(), 1.0, rtol=1e-12)
    batches = [np.float64([1.0, 1.1, 0.9])]
    first = step.mixture.score(batches, 3, lambda: False)["error"]
    step.alphas["cell_edges"].assign(step.alphas["cell_edges"] + [[9.0] * 5, [0.0] * 5, [0.0] * 5])
    assert step.mixture.score(batches, 3, lambda: False)["error"] != first


def test_progress_reaches_relaxation_and_supernet_and_nothing_is_traced_again():
    traced = []

    class Ramps(Relaxation):
        """Sharper with time."""

        def mixing(self, alphas, moment):
            traced.append(1)
            return softmax({"cell": alphas["cell"] * (1.0 + moment.ramp)})

    class Fades(Toy):
        def loss(self, weights, mixing, batch, state, seed, *, progress=0.0, **more):
            return super().loss(weights, mixing, batch * (1.0 - progress), state, seed, **more)

    step = step_of(Ramps, Fades())
    errors = []
    for epoch in range(4):
        step.mixture.begin_epoch(epoch)
        metrics = step(TRAIN, VALIDATION, 1e-30)
        errors.append(metrics["train"]["loss"])
        if epoch == 0:
            first = len(traced)
    assert len(set(errors)) == 4
    eager = 2 * 3  # the entropy of each later step, its mixing weights and reading
    assert len(traced) - first <= eager


def test_w_first_is_alpha_at_the_new_weights():
    last = {"step_order": "weights_first", "hypergradient": "first_order"}
    alpha, weights = taken(step_of(Plain, **last))
    step = step_of(Plain, hypergradient="first_order", alpha_learning_rate=1e-30)
    _, moved = taken(step)
    np.testing.assert_allclose(moved, weights, rtol=1e-12)  # w moved at the first α
    first, _ = taken(step_of(Plain, hypergradient="first_order"))
    assert (alpha != first).any()
