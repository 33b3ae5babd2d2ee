"""Tests of computing again in the backward pass: the same derivatives, at the right time."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.runtime.memory.traced import traced
from tf_darts.runtime.rematerialize import rematerialized


def _layers(given):
    x, w = given
    for _ in range(3):
        x = tf.tanh(x @ w)
    return [x, tf.reduce_mean(x, axis=0)]


def _values():
    random = np.random.default_rng(0)
    return [tf.constant(random.standard_normal(shape)) for shape in ((5, 4), (4, 4))]


def _derivatives(function, given):
    """The value, its gradient and the gradient of that gradient's squares."""
    with tf.GradientTape() as outer:
        outer.watch(given)
        with tf.GradientTape() as inner:
            inner.watch(given)
            outputs = function(given)
            loss = tf.reduce_sum(outputs[0] ** 2) + tf.reduce_sum(outputs[1] ** 3)
        first = inner.gradient(loss, given)
        total = tf.add_n([tf.reduce_sum(slope**2) for slope in first])
    return [loss, *first, *outer.gradient(total, given)]


@pytest.mark.parametrize("compiled", [False, True])
def test_both_derivatives_are_those_of_the_function(compiled):
    def again(given):
        return rematerialized(_layers, given)

    def both(given):
        return _derivatives(again, given), _derivatives(_layers, given)

    run = tf.function(both, autograph=False) if compiled else both
    for found, wanted in zip(*run(_values()), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_only_the_arguments_are_kept():
    specs = tf.TensorSpec([64, 32]), tf.TensorSpec([32, 32])

    def plain(x, w):
        return _layers([x, w])[0]

    def again(x, w):
        return rematerialized(_layers, [x, w])[0]

    # The three results of tanh; with nothing kept, they are made in the backward pass.
    assert traced(plain, *specs).retained == 3 * 4 * 64 * 32
    found = traced(again, *specs)
    assert found.retained == 0
    assert found.workspace >= 3 * 4 * 64 * 32


def test_the_second_computation_waits_for_the_slope():
    @tf.function(autograph=False)
    def gradient(x, w):
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            loss = tf.reduce_sum(rematerialized(_layers, [x, w])[0])
        return tape.gradient(loss, [x, w])

    graph = gradient.get_concrete_function(tf.TensorSpec([5, 4]), tf.TensorSpec([4, 4])).graph
    waiting = [op for op in graph.get_operations() if op.type == "Identity" and op.control_inputs]
    assert len(waiting) >= 2
    assert sum(op.type == "Tanh" for op in graph.get_operations()) == 6
