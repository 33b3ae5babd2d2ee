"""The small pure parts of the search: relaxation, derivation, schedule, the weights' optimiser."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel import relaxation
from tf_darts.bilevel import strongest_edges as derive
from tf_darts.cells.topology import CellTopology
from tf_darts.optimization import schedule
from tf_darts.optimization.weight_optimizer import WeightOptimizer


def test_softmax_relaxation_is_eq_2():
    alpha = np.random.default_rng(0).standard_normal((3, 4))
    mixing = relaxation.softmax({"cell": tf.constant(alpha)})["cell"].numpy()
    np.testing.assert_allclose(mixing, np.exp(alpha) / np.exp(alpha).sum(1, keepdims=True))


def test_entropy_goes_from_ln_n_to_zero():
    uniform = {"a": tf.fill([3, 4], 0.25), "b": tf.fill([1, 4], 0.25)}
    assert float(relaxation.entropy(uniform)) == pytest.approx(math.log(4))
    assert float(relaxation.entropy({"a": tf.constant([[1.0, 0.0, 0.0]])})) == 0.0


def topology(inputs, nodes, keep):
    return CellTopology(inputs, nodes, keep, ("none", "x", "y"))


def test_initial_alphas_are_small_and_of_their_own():
    cells = dict.fromkeys(("normal", "reduce"), topology(2, 40, 2))
    first, again = (relaxation.initial_alphas(cells, 1e-3, seed=1) for _ in range(2))
    other = relaxation.initial_alphas(cells, 1e-3, seed=2)["normal"].numpy()
    normal, reduce = first["normal"].numpy(), first["reduce"].numpy()
    assert normal.shape == (cells["normal"].edges, 3)
    np.testing.assert_allclose([normal.mean(), normal.std()], [0.0, 1e-3], atol=1e-4)
    np.testing.assert_array_equal(normal, again["normal"].numpy())
    for different in (reduce, other):
        assert abs(np.corrcoef(normal.ravel(), different.ravel())[0, 1]) < 0.1


def test_topology_rows_and_names():
    cell = topology(2, 2, 2)
    assert cell.edges == 5
    assert [cell.rows(i) for i in range(2)] == [slice(0, 2), slice(2, 5)]
    assert cell.edge_names == ["0→2", "1→2", "0→3", "1→3", "2→3"]


def test_none_counts_neither_as_operation_nor_as_strength():
    mixing = np.array([[0.9, 0.06, 0.04], [0.2, 0.1, 0.7]])
    assert derive.strongest_edges(mixing, topology(2, 1, 1)) == [[("y", 1)]]


def test_two_edges_strongest_first_from_distinct_predecessors():
    mixing = np.array([[0.1, 0.5, 0.4], [0.0, 0.0, 1.0], [0.1, 0.2, 0.3]])
    cell = derive.strongest_edges(mixing[:2], topology(2, 1, 2))
    assert cell == [[("y", 1), ("x", 0)]]


def test_ties_go_to_the_lower_predecessor_and_the_earlier_operation():
    mixing = np.full((5, 3), 1 / 3)
    assert derive.strongest_edges(mixing, topology(2, 2, 2)) == [[("x", 0), ("x", 1)]] * 2


def test_cosine():
    rates = [schedule.cosine(0.025, 0.001, epoch, 50) for epoch in range(50)]
    assert rates[0] == 0.025
    assert rates[25] == pytest.approx(0.013)
    assert rates == sorted(rates, reverse=True)
    assert schedule.cosine(20.0, 20.0, 7, 50) == 20.0


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_weight_steps_are_sgd_with_coupled_decay(momentum, nesterov):
    optimizer = WeightOptimizer(momentum, weight_decay=0.1, clip_norm=1.0, nesterov=nesterov)
    w = m = np.array([3.0, -4.0])
    m = np.zeros(2)
    weights = [tf.constant(w)]
    velocities = [tf.constant(m)] if momentum else []
    for gradient in (np.array([3.0, 4.0]), np.array([0.1, 0.2])):
        norm = np.linalg.norm(gradient)
        factor = optimizer.clip_factor(tf.constant(norm))
        weights, velocities = optimizer.step(
            weights, velocities, [tf.constant(gradient)], factor, 0.5
        )
        d = min(1.0, 1.0 / (norm + 1e-6)) * gradient + 0.1 * w
        m = momentum * m + d
        w = w - 0.5 * (d + momentum * m if nesterov else m)
        np.testing.assert_allclose(weights[0], w, rtol=1e-12)
    assert len(velocities) == (1 if momentum else 0)


@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.0, True), (0.9, False), (0.9, True)]
)
def test_reach_is_how_far_the_gradient_moves_the_weights(momentum, nesterov):
    optimizer = WeightOptimizer(momentum, weight_decay=0.1, nesterov=nesterov)
    rate, factor = tf.constant(0.5, tf.float64), tf.constant(0.25, tf.float64)
    gradient = tf.constant([3.0, -4.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(gradient)
        velocities = [tf.ones_like(gradient)] if momentum else []
        ((moved,), _) = optimizer.step(
            [tf.ones_like(gradient)], velocities, [gradient], factor, rate
        )
    slope = -tape.gradient(moved, gradient)
    np.testing.assert_allclose(slope, [float(optimizer.reach(factor, rate))] * 2, rtol=1e-12)


def test_the_clip_factor_is_a_constant_of_the_gradient():
    norm = tf.constant(5.0)
    with tf.GradientTape() as tape:
        tape.watch(norm)
        factor = WeightOptimizer(clip_norm=1.0).clip_factor(norm)
    assert float(factor) == pytest.approx(0.2)
    assert tape.gradient(factor, norm) is None
