"""Gradients against differences: one wrong entry among many is found, kinks are none."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.testing.derivatives import random
from tf_darts.testing.differences import check_gradient, check_influence

POINT = [random(1, 3, 4), random(2, 4), random(3, 2), random(4, 5)]
NAMES = ["a", "b", "c", "d"]


def function(points):
    a, b, c, d = points
    return tf.reduce_sum(tf.nn.relu(a @ tf.sin(b)[:, None])) * tf.reduce_sum(c**3) + d[0]


def slopes():
    with tf.GradientTape() as tape:
        tape.watch(POINT)
        value = function(POINT)
    return tape.gradient(value, POINT)


def test_right_gradients_pass():
    check_gradient(function, POINT, slopes(), NAMES, "it")


@pytest.mark.parametrize("place", range(4))
def test_one_wrong_entry_is_found_by_name(place):
    wrong = slopes()
    error = np.zeros(wrong[place].shape)
    error.flat[0] = 0.01 * float(tf.linalg.global_norm(wrong))
    wrong[place] = wrong[place] + error
    with pytest.raises(AssertionError, match=f"it: the gradient by {NAMES[place]} says"):
        check_gradient(function, POINT, wrong, NAMES, "it")


def test_what_has_no_influence_is_named():
    found = slopes()
    check_influence(found, NAMES, "it")
    found[2] = 0.0 * found[2]
    with pytest.raises(AssertionError, match="it does not depend on c: its gradient is zero"):
        check_influence(found, NAMES, "it")
