"""Graphs with custom gradients can be given free, and the gradients are those of TensorFlow's."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.runtime.lean_graphs import lean


def derivatives(decorator, closed=False):
    """A compiled function with the first and second derivatives of one with such a gradient."""

    @decorator
    def both(x, y):
        @decorator
        def square(z):
            return z * z, lambda upstream: 2.0 * z * upstream

        exponential = tf.exp(x)  # whose own gradient the second derivative passes through

        def gradient(first, second, third):
            return 3.0 * first * x + third * exponential, square(y) * second

        return {"first": square(x), "second": y * 2.0, "third": exponential}, gradient

    def run(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                results = both(x, x + 1.0)
                total = tf.reduce_sum(results["first"] * results["second"] * results["third"])
            slope = inner.gradient(total, x)
        return total, slope, outer.gradient(slope, x)

    return tf.function(lean(run, closed=True) if closed else run, autograph=False)


@pytest.mark.parametrize(("eager", "closed"), [(False, False), (False, True), (True, False)])
def test_as_tensorflows(eager, closed):
    tf.config.run_functions_eagerly(eager)
    try:
        point = tf.constant([1.0, 2.0])
        ours, right = derivatives(custom_gradient, closed), derivatives(tf.custom_gradient)
        for one, other in zip(ours(point), right(point), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("closed", [False, True])
def test_the_graph_is_given_free(closed):
    run = derivatives(custom_gradient, closed)
    graph = weakref.ref(run.get_concrete_function(tf.TensorSpec([2])).graph)
    assert graph() is not None
    del run
    gc.collect()
    assert graph() is None


@custom_gradient
def rounded(x, unused):
    """Its gradient, by which it is told from TensorFlow's, is that of the identity."""
    return tf.round(x) + 0.0 * unused, lambda upstream: (upstream, None)


def test_a_closed_graph_has_no_copies_of_results_and_arguments():
    def slope(x, unused):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = rounded(x, unused)
        return tape.gradient(value, x)

    def types(function):
        spec = tf.TensorSpec([2])
        graph = tf.function(function, autograph=False).get_concrete_function(spec, spec).graph
        return [operation.type for operation in graph.get_operations()]

    assert "IdentityN" in types(slope)
    assert "IdentityN" not in types(lean(slope, closed=True))
    point = tf.constant([1.2, 1.7])
    found = tf.function(lean(slope, closed=True), autograph=False)(point, point)
    np.testing.assert_array_equal(found, [1.0, 1.0])


@pytest.mark.parametrize("kind", ["function", "loop"])
def test_graphs_within_a_closed_one_are_not(kind):
    """Of these TensorFlow takes the gradient of the whole graph."""
    inner = tf.function(lean(lambda x: rounded(x, x)), autograph=False)

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            if kind == "function":
                value = inner(x)
            else:
                value = tf.while_loop(
                    lambda i, _: i < 2, lambda i, y: (i + 1, rounded(y, y)), (0, x)
                )[1]
        return tape.gradient(value, x)

    found = tf.function(lean(slope, closed=True), autograph=False)(tf.constant([1.2, 1.7]))
    np.testing.assert_array_equal(found, [1.0, 1.0])
