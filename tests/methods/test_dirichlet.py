"""Dirichlet samples and their divergence against closed forms (METHODS.md 5.5)."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.methods.dirichlet import Dirichlet, KullbackLeibler, concentration

ALPHA = tf.constant([[0.7, -0.4, 1.5, 0.0]], tf.float64)
C = concentration(ALPHA).numpy()[0]
SAMPLES = 50_000


def moment(seed=0, allowed=None):
    share = tf.zeros([], tf.float64)
    return Moment(tf.constant([seed, 7]), share, share, allowed or {})


def test_the_mean_of_samples_is_that_of_the_distribution():
    alphas = {"cell": tf.tile(ALPHA, [SAMPLES, 1])}
    drawn = Dirichlet().mixing(alphas, moment())["cell"].numpy()
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0, rtol=1e-12)
    mean, total = C / C.sum(), C.sum()
    deviation = np.sqrt(mean * (1 - mean) / (total + 1) / SAMPLES)
    assert (abs(drawn.mean(axis=0) - mean) < 4 * deviation).all()


def test_the_gradient_of_an_expectation():
    """∂E[aᵀθ]/∂c has a closed form, (a - aᵀc/S)/S."""
    worth = np.array([0.0, 1.0, 3.0, 2.0])
    alphas = {"cell": tf.tile(ALPHA, [SAMPLES, 1])}
    with tf.GradientTape() as tape:
        tape.watch(alphas)
        value = tf.reduce_sum(Dirichlet().mixing(alphas, moment())["cell"] * worth)
    estimates = tape.gradient(value, alphas)["cell"].numpy()
    total = C.sum()
    by_concentration = (worth - worth @ C / total) / total
    slope = np.where(ALPHA.numpy()[0] > 0, 1.0, np.exp(ALPHA.numpy()[0]))
    expected, spread = by_concentration * slope, estimates.std(axis=0) / np.sqrt(SAMPLES)
    assert (abs(estimates.mean(axis=0) - expected) < 4 * spread).all()


def test_the_divergence_is_the_closed_form():
    term = KullbackLeibler(divergence_weight=2.0)

    def value(alpha):
        mixing = Relaxation().mixing({"cell": alpha}, moment())
        return term.value({"cell": alpha}, mixing, moment())

    expected = (
        special.gammaln(C.sum())
        - special.gammaln(C).sum()
        - special.gammaln(len(C))
        + ((C - 1) * (special.digamma(C) - special.digamma(C.sum()))).sum()
    )
    assert float(value(ALPHA)) == pytest.approx(2.0 * expected, rel=1e-12)
    flat = tf.zeros([1, 4], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(flat)
        nothing = value(flat)
    assert float(nothing) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(tape.gradient(nothing, flat), 0.0, atol=1e-12)


def test_a_small_concentration_is_no_nan():
    alphas = {"cell": tf.fill([100, 5], tf.constant(-40.0, tf.float64))}
    drawn = Dirichlet().mixing(alphas, moment())["cell"].numpy()
    assert np.isfinite(drawn).all()
