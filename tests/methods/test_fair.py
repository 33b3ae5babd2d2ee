"""Sigmoids and the zero-one term (METHODS.md 5.1)."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.relaxation import Moment, entropy
from tf_darts.config.presets import configure
from tf_darts.methods.fair import Sigmoid, ZeroOne
from tf_darts.testing.method import toy_config


def moment(allowed=None):
    share = tf.zeros([], tf.float64)
    return Moment(tf.zeros([2], tf.int32), share, share, allowed or {})


def term(alpha, weight=10.0, form="square"):
    alphas = {"a": alpha, "b": alpha[:1]}
    with tf.GradientTape() as tape:
        tape.watch(alphas)
        value = ZeroOne(zero_one_weight=weight, zero_one_form=form).value(
            alphas, Sigmoid().mixing(alphas, moment()), moment()
        )
    return float(value), tape.gradient(value, alphas)


def test_the_term_at_a_half_and_at_the_ends():
    half, slopes = term(tf.zeros([3, 4], tf.float64))
    assert half == 0.0 and all((slope.numpy() == 0).all() for slope in slopes.values())
    ends, _ = term(tf.constant(np.where(np.eye(3, 4), 50.0, -50.0)))
    assert ends == pytest.approx(-0.25 * 10.0)


def test_its_gradient_is_the_closed_form():
    alpha = tf.constant(np.random.default_rng(0).standard_normal((3, 4)))
    _, slopes = term(alpha)
    s, entries = tf.sigmoid(alpha).numpy(), 12 + 4
    expected = -2.0 * 10.0 * (s - 0.5) * s * (1 - s) / entries
    np.testing.assert_allclose(slopes["a"], expected, rtol=1e-12)
    np.testing.assert_allclose(slopes["b"], expected[:1], rtol=1e-12)


def test_of_the_distance_itself():
    """METHODS.md 5.1's other form: the slope does not vanish near a half, and does at it."""
    alpha = tf.constant(np.random.default_rng(0).standard_normal((3, 4)))
    value, slopes = term(alpha, form="distance")
    s = tf.sigmoid(alpha).numpy()
    every = np.concatenate([s, s[:1]])
    assert value == pytest.approx(-10.0 * np.abs(every - 0.5).mean(), rel=1e-12)
    expected = -10.0 * np.sign(s - 0.5) * s * (1 - s) / 16
    np.testing.assert_allclose(slopes["a"], expected, rtol=1e-12)
    half, slopes = term(tf.zeros([3, 4], tf.float64), form="distance")
    assert half == 0.0 and all((slope.numpy() == 0).all() for slope in slopes.values())


def test_rows_that_sum_to_more_than_one_have_an_entropy():
    alphas = {"cell": tf.constant([[3.0, 3.0, -50.0], [5.0, -50.0, -50.0]], tf.float64)}
    mixing = Sigmoid().mixing(alphas, moment())
    assert float(tf.reduce_sum(mixing["cell"][0])) > 1.5
    assert float(entropy(mixing, normalized=False)) == pytest.approx(np.log(2) / 2, rel=1e-3)


def test_the_method_has_settings_of_its_own():
    asked = {"mode": "search", "dataset": "cifar10", "method": "fair_darts"}
    made = configure(asked)
    assert (made.alpha_learning_rate, made.alpha_beta_1, made.label) == (3e-3, 0.9, "fair_darts")
    assert configure(asked | {"alpha_learning_rate": 1e-3}).alpha_learning_rate == 1e-3
    assert toy_config("fair_darts").make_parts("relaxation") == (Sigmoid(),)
