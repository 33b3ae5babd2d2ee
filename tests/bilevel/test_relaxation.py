"""What makes mixing weights of α: masks, factors, entropy, and the defaults of the door."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.relaxation import (
    Moment,
    Relaxation,
    beginning,
    entropy,
    folded,
    initial_alphas,
    softmax,
)
from tf_darts.cells.topologies import TOPOLOGIES

ALPHAS = {"cell": tf.constant([[1.0, 2.0, 0.5], [0.1, -1.0, 3.0], [0.0, 0.0, 0.0]])}
ALLOWED = {"cell": tf.constant([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])}


def test_a_softmax_over_what_is_allowed():
    table = softmax(ALPHAS, ALLOWED)["cell"].numpy()
    first, last = np.exp([1.0, 0.5]) / np.exp([1.0, 0.5]).sum()
    np.testing.assert_allclose(table, [[first, 0, last], [0, 0, 1], [0, 0, 0]], rtol=1e-6)


def test_where_all_is_allowed_the_bits_are_the_same():
    free = softmax(ALPHAS)["cell"].numpy()
    all_allowed = softmax(ALPHAS, {"cell": tf.ones([3, 3])})["cell"].numpy()
    assert (free == all_allowed).all()


def test_the_gradient_of_what_is_not_allowed_is_zero():
    with tf.GradientTape() as tape:
        tape.watch(ALPHAS)
        value = tf.reduce_sum(softmax(ALPHAS, ALLOWED)["cell"] * [[1.0, 2.0, 3.0]])
    gradient = tape.gradient(value, ALPHAS)["cell"].numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[np.asarray(ALLOWED["cell"]) == 0] == 0).all()
    assert (gradient[0, [0, 2]] != 0).all() and gradient[1, 2] == 0, "a decided edge stays"


def test_factors_multiply_whole_edges():
    mixing = softmax(ALPHAS)
    assert folded(mixing, None) is mixing
    scaled = folded(mixing, {"cell": tf.constant([2.0, 0.0, 1.0])})["cell"].numpy()
    np.testing.assert_allclose(scaled.sum(axis=1), [2.0, 0.0, 1.0], rtol=1e-6)


def test_entropy_of_rows_that_do_not_sum_to_one():
    rows = {"cell": tf.constant([[0.5, 0.5, 0.5], [0.0, 0.0, 0.0], [0.2, 0.0, 0.0]])}
    value = float(entropy(rows, normalized=False))
    assert value == pytest.approx(np.log(3) / 3, rel=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-3])
def test_the_first_alphas_are_a_function_of_the_seed(scale):
    cells = TOPOLOGIES["convolutional"]
    first, again, other = (initial_alphas(cells, scale, seed) for seed in (1, 1, 2))
    for name, topology in cells.items():
        assert first[name].shape == (topology.edges, len(topology.operations))
        assert (first[name].numpy() == again[name].numpy()).all()
        assert (first[name].numpy() != other[name].numpy()).all() == bool(scale)
    assert not (first["normal"].numpy() == first["reduce"].numpy()).any() or not scale


def test_by_default_both_steps_and_the_reading_are_the_softmax():
    moment: Moment = beginning()._replace(allowed=ALLOWED)
    expected = softmax(ALPHAS, ALLOWED)["cell"].numpy()
    relaxation = Relaxation()
    for make in (relaxation.mixing, relaxation.weight_mixing, relaxation.reading):
        assert (make(ALPHAS, moment)["cell"].numpy() == expected).all()
    assert relaxation.edge_factors(ALPHAS, moment) is None and not relaxation.two_phases()
