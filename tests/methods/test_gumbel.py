"""Gumbel samples against their distribution and their slopes (METHODS.md 4.4)."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.relaxation import Moment, entropy, softmax
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.gumbel import Gumbel, GumbelHard, GumbelHardAll

ALPHA = tf.constant([[1.0, 0.2, -0.5, 0.1]], tf.float64)
P = softmax({"cell": ALPHA})["cell"].numpy()[0]
SAMPLES = 20_000


def moment(ramp=0.0, seed=0, allowed=None):
    share = tf.constant(ramp, tf.float64)
    return Moment(tf.constant([seed, 7]), share, share, allowed or {})


@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
def test_operations_are_drawn_as_often_as_they_weigh(tau):
    """Whatever the temperature: many edges with one row of α, in one draw."""
    alphas = {"cell": tf.tile(ALPHA, [SAMPLES, 1])}
    drawn = GumbelHard(first_tau=tau, last_tau=tau).mixing(alphas, moment())["cell"].numpy()
    assert set(np.unique(drawn)) == {0.0, 1.0} and (drawn.sum(axis=1) == 1.0).all()
    deviation = np.sqrt(P * (1 - P) / SAMPLES)
    assert (abs(drawn.mean(axis=0) - P) < 4 * deviation).all()


def test_a_soft_sample_hardens_as_tau_falls():
    relaxation = Gumbel(first_tau=10.0, last_tau=0.02)
    alphas = {"cell": tf.tile(ALPHA, [500, 1])}
    warm, cold = (relaxation.mixing(alphas, moment(ramp)) for ramp in (0.0, 1.0))
    assert float(entropy(warm)) > 0.95 * np.log(4)
    assert float(entropy(cold)) < 0.02
    hard = GumbelHard(first_tau=10.0, last_tau=0.02).mixing(alphas, moment())
    assert (np.argmax(warm["cell"], axis=1) == np.argmax(hard["cell"], axis=1)).all()


def test_the_hard_sample_has_the_jacobian_of_the_soft_one():
    alphas = {"cell": ALPHA}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(ALPHA)
        hard = GumbelHard().mixing(alphas, moment(0.9))["cell"]
        soft = Gumbel().mixing(alphas, moment(0.9))["cell"]
    assert (tape.jacobian(hard, ALPHA).numpy() == tape.jacobian(soft, ALPHA).numpy()).all()
    assert sorted(hard.numpy()[0]) == [0.0, 0.0, 0.0, 1.0]


def test_with_all_operations_the_sample_is_the_same():
    alphas = {"cell": tf.tile(ALPHA, [50, 1])}
    alone, beside = (made().mixing(alphas, moment(0.5)) for made in (GumbelHard, GumbelHardAll))
    assert (alone["cell"].numpy() == beside["cell"].numpy()).all()
    asked = {"mode": "search", "dataset": "ptb", "method": "gdas", "relaxation": "gumbel_hard_all"}
    assert configure(asked).label == "gdas+gumbel_hard_all"


def test_seeds_decide():
    alphas = {"cell": tf.tile(ALPHA, [50, 1]), "other": tf.tile(ALPHA, [50, 1])}
    first, again, other = (GumbelHard().mixing(alphas, moment(0.5, seed)) for seed in (1, 1, 2))
    assert (first["cell"].numpy() == again["cell"].numpy()).all()
    assert (first["cell"].numpy() != other["cell"].numpy()).any()
    assert (first["cell"].numpy() != first["other"].numpy()).any(), "each kind has its own draw"


def test_what_is_not_allowed_is_not_drawn():
    alphas = {"cell": tf.tile(ALPHA, [300, 1])}
    table = np.tile([1.0, 0.0, 1.0, 0.0], [300, 1])
    table[7] = 0.0
    allowed = {"cell": tf.constant(table)}
    drawn = GumbelHard().mixing(alphas, moment(0.5, allowed=allowed))["cell"].numpy()
    assert drawn[:, [1, 3]].sum() == 0.0 and drawn[7].sum() == 0.0 and drawn.sum() == 299.0


def test_the_straight_through_gradient_is_biased():
    """Of E[f(h)] = f(p) for an f that is linear in each edge, the estimate is not the gradient."""
    worth = np.array([0.0, 1.0, 3.0, 2.0])
    alphas = {"cell": tf.tile(ALPHA, [SAMPLES, 1])}
    with tf.GradientTape() as tape:
        tape.watch(alphas)
        drawn = GumbelHard(first_tau=0.5, last_tau=0.5).mixing(alphas, moment())["cell"]
        value = tf.reduce_sum(drawn * worth)
    estimate = tape.gradient(value, alphas)["cell"].numpy().mean(axis=0)
    assert float(value) / SAMPLES == pytest.approx(P @ worth, abs=0.05)
    exact = P * (worth - P @ worth)
    cosine = estimate @ exact / np.linalg.norm(estimate) / np.linalg.norm(exact)
    assert cosine > 0.95, "it points the same way"
    assert abs(np.linalg.norm(estimate) / np.linalg.norm(exact) - 1) > 0.02


def test_wrong_input_is_a_sentence():
    asked = {"mode": "search", "dataset": "ptb", "method": "gdas"}
    made = configure(asked)
    assert (made.first_tau, made.last_tau, made.label) == (10.0, 0.1, "gdas")
    assert configure(asked | {"method": "snas"}).last_tau == 0.03
    with pytest.raises(UserError, match="--last_tau=20 is above --first_tau=10"):
        configure(asked | {"last_tau": 20.0})
    with pytest.raises(UserError, match=r"--last_tau=0\.0: out of range"):
        configure(asked | {"last_tau": 0.0})
