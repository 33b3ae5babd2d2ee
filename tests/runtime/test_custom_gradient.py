"""Graphs with custom gradients can be given free, and the gradients are those of TensorFlow's."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient


def derivatives(decorator):
    """A compiled function with the first and second derivatives of one with such a gradient."""

    @decorator
    def both(x, y):
        @decorator
        def square(z):
            return z * z, lambda upstream: 2.0 * z * upstream

        def gradient(first, second):
            return 3.0 * first * x, square(y) * second

        return {"first": square(x), "second": y * 2.0}, gradient

    @tf.function(autograph=False)
    def run(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                results = both(x, x + 1.0)
                total = tf.reduce_sum(results["first"] * results["second"])
            slope = inner.gradient(total, x)
        return total, slope, outer.gradient(slope, x)

    return run


@pytest.mark.parametrize("eager", [False, True])
def test_as_tensorflows(eager):
    tf.config.run_functions_eagerly(eager)
    try:
        point = tf.constant([1.0, 2.0])
        for ours, right in zip(
            derivatives(custom_gradient)(point), derivatives(tf.custom_gradient)(point), strict=True
        ):
            np.testing.assert_array_equal(ours, right)
    finally:
        tf.config.run_functions_eagerly(False)


def test_the_graph_is_given_free():
    run = derivatives(custom_gradient)
    graph = weakref.ref(run.get_concrete_function(tf.TensorSpec([2])).graph)
    assert graph() is not None
    del run
    gc.collect()
    assert graph() is None
