"""The beta decay against its closed form (METHODS.md 5.3)."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.alpha_moves import AlphaMoves
from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.config.presets import configure
from tf_darts.methods.beta_decay import BetaDecay

ROWS = np.random.default_rng(0).standard_normal((14, 8))
ALPHAS = {"normal": tf.constant(ROWS), "reduce": tf.constant(ROWS[::-1].copy())}


def moment(progress):
    share = tf.constant(progress, tf.float64)
    return Moment(tf.zeros([2], tf.int32), share, share, {})


def gradient(progress, weight=50.0, alphas=ALPHAS):
    term = BetaDecay(beta_weight=weight)
    with tf.GradientTape() as tape:
        tape.watch(alphas)
        value = term.value(alphas, Relaxation().mixing(alphas, moment(progress)), moment(progress))
    return value, tape.gradient(value, alphas)


@pytest.mark.parametrize("progress", [0.0, 0.02, 0.98])
def test_its_gradient_is_the_mixing_weights(progress):
    _, gradients = gradient(progress)
    for name, alpha in ALPHAS.items():
        expected = 50.0 * progress * tf.nn.softmax(alpha).numpy() / 14
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-12)
        sums = np.sum(gradients[name], axis=1)
        np.testing.assert_allclose(sums, 50.0 * progress / 14, rtol=1e-12)


def test_a_constant_added_to_a_row_raises_it():
    """The softmax would not know: this is what bounds the logits."""
    rows = ROWS.copy()
    rows[0] += 3.0
    raised = ALPHAS | {"normal": tf.constant(rows)}
    difference = gradient(0.5, alphas=raised)[0] - gradient(0.5)[0]
    np.testing.assert_allclose(difference, 0.5 * 50.0 * 3.0 / 14, rtol=1e-12)


def test_it_is_added_to_the_weight_decay(float64):
    config = configure(
        {"mode": "search", "dataset": "cifar10", "method": "beta_darts", "beta_weight": 2.0}
    )
    variables = Relaxation().variables(config.cells, 1.0, 0)
    alphas = {name: tf.convert_to_tensor(value) for name, value in variables.items()}
    pull = AlphaMoves(variables, Relaxation(), config).pull(alphas, moment(0.5))
    for name, alpha in alphas.items():
        expected = 1e-3 * alpha + 2.0 * 0.5 * tf.nn.softmax(alpha) / 14
        np.testing.assert_allclose(pull[name], expected, rtol=1e-12)
