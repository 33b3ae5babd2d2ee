"""The step of w on the toy supernet, against the formulas by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.compiled_loss import SupernetLosses
from tf_darts.bilevel.relaxation import Relaxation
from tf_darts.bilevel.weight_moves import WeightMoves
from tf_darts.runtime.replicas import SINGLE_REPLICA
from tf_darts.testing.method import toy_config
from tf_darts.testing.toy_search import ToySupernet

GRADIENT, RATE = np.array([3.0, 4.0]), 0.1


@pytest.fixture
def moves(float64):
    def made(**settings):
        supernet = ToySupernet()
        losses = SupernetLosses(supernet, SINGLE_REPLICA, Relaxation())
        return WeightMoves(supernet, losses, toy_config("darts", **settings))

    return made


def given(moves):
    return moves.read(), [tf.constant(GRADIENT)], tf.constant(RATE, tf.float64)


def test_the_virtual_step_moves_nothing_and_is_the_real_one(moves):
    ours = moves(momentum=0.9, weight_decay=0.5, clip_norm=1.0)
    before = ours.read()[0].numpy()
    [unrolled], factor = ours.unroll(*given(ours))
    assert (ours.read()[0].numpy() == before).all()
    clip = 1 / (5 + 1e-6)  # the norm is 5, and 1 is allowed
    expected = before - RATE * (GRADIENT * clip + 0.5 * before)
    np.testing.assert_allclose(unrolled, expected, rtol=1e-14)
    np.testing.assert_allclose(factor, RATE * clip, rtol=1e-14)
    norm = ours.advance(*given(ours), tf.zeros([1], tf.float64))
    np.testing.assert_allclose(norm, 5.0, rtol=1e-14)
    assert (ours.read()[0].numpy() == unrolled.numpy()).all()


def test_the_second_step_has_the_velocity_of_the_first(moves):
    ours = moves(momentum=0.9, weight_decay=0.0, clip_norm=0.0)
    before = ours.read()[0].numpy()
    for _ in range(2):
        ours.advance(*given(ours), tf.zeros([1], tf.float64))
    np.testing.assert_allclose(ours.read()[0], before - RATE * 2.9 * GRADIENT, rtol=1e-14)


def test_another_weight_decay_counts_in_both_steps(moves):
    ours = moves(momentum=0.0, weight_decay=0.0, clip_norm=0.0)
    assert ours.velocities == []
    before = ours.read()[0].numpy()
    ours.unroll(*given(ours))  # traced with the old one
    ours.set_decay(2.0)
    expected = before - RATE * (GRADIENT + 2.0 * before)
    np.testing.assert_allclose(ours.unroll(*given(ours))[0][0], expected, rtol=1e-14)
    ours.advance(*given(ours), tf.zeros([1], tf.float64))
    np.testing.assert_allclose(ours.read()[0], expected, rtol=1e-14)
