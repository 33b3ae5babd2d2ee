"""Random smoothing: noise in w's step alone (METHODS.md 5.4)."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.relaxation import Moment, softmax
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.smooth import RandomSmoothing, _simplex

ALPHAS = {"cell": tf.constant(np.random.default_rng(0).standard_normal((200, 5)))}


def moment(progress=0.0, seed=0, allowed=None):
    share = tf.constant(progress, tf.float64)
    return Moment(tf.constant([seed, 7]), share, share, allowed or {})


def test_without_noise_it_is_the_softmax():
    still = RandomSmoothing(first_noise=0.0, last_noise=0.0).weight_mixing(ALPHAS, moment())
    np.testing.assert_allclose(still["cell"], softmax(ALPHAS)["cell"], rtol=1e-12)


def test_rows_stay_mixing_weights_and_the_noise_grows():
    spread = []
    for progress in (0.0, 0.5, 1.0):
        noisy = RandomSmoothing(last_noise=0.9).weight_mixing(ALPHAS, moment(progress))["cell"]
        assert (noisy.numpy() >= 0).all()
        np.testing.assert_allclose(noisy.numpy().sum(axis=1), 1.0, rtol=1e-12)
        spread.append(float(tf.reduce_mean(abs(noisy - softmax(ALPHAS)["cell"]))))
    assert spread[0] < 0.03 < spread[1] < spread[2]


def test_alpha_s_step_is_unperturbed():
    relaxation = RandomSmoothing()
    mixing = relaxation.mixing(ALPHAS, moment(1.0))["cell"].numpy()
    assert (mixing == softmax(ALPHAS)["cell"].numpy()).all() and relaxation.two_phases()


def test_a_row_of_which_nothing_is_left_is_one_hot():
    flat = {"cell": tf.zeros([2000, 2], tf.float64)}  # 0.5 each, and noise of up to 0.99
    drawn = RandomSmoothing(first_noise=0.99, last_noise=0.99).weight_mixing(flat, moment())
    table = drawn["cell"].numpy()
    assert ((table == 1.0).sum(axis=1) == 1).mean() > 0.3
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-12)


def test_a_row_of_which_nothing_is_left_is_one_of_what_is_allowed():
    mask = {"cell": tf.constant([[0.0, 1.0, 1.0]] * 300, tf.float64)}
    even = {"cell": mask["cell"] * tf.constant(0.5, tf.float64)}
    noise = tf.random.stateless_uniform([300, 3], [0, 1], -0.9, 0.9, tf.float64)
    table = _simplex(even["cell"] + noise * mask["cell"]).numpy()
    assert (table[:, 0] == 0).all() and (table == 1.0).any()
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-12)
    assert (_simplex(tf.zeros([2, 3])).numpy() == 0).all()


def test_wrong_input_is_a_sentence():
    asked = {"mode": "search", "dataset": "ptb", "method": "smooth_darts_rs"}
    assert configure(asked).label == "smooth_darts_rs"
    with pytest.raises(UserError, match=r"--first_noise=0\.5 is above --last_noise=0\.3"):
        configure(asked | {"first_noise": 0.5})
    asked |= {"method": "joint_simultaneous", "relaxation": "random_smoothing"}
    with pytest.raises(UserError, match="none of w's alone that could see the noise"):
        configure(asked)
    assert configure(asked | {"method": "joint_alternating"}).relaxation == "random_smoothing"
