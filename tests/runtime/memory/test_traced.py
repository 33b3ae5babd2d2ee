"""Tests of the count of tensors: graphs whose tensors can be counted by hand."""

import pytest
import tensorflow as tf

from tf_darts.runtime.memory.traced import TracedMemory, in_order, traced

X, W = tf.TensorSpec([8, 4]), tf.TensorSpec([4, 4])
SIZE = 4 * 8 * 4  # bytes of X


def test_what_the_gradient_reads_is_kept():
    # tanh's result is read by tanh's gradient and by that of the second product.
    assert traced(lambda x, w: tf.tanh(x @ w) @ w, X, W).retained == SIZE
    assert traced(lambda x, w: x @ w + 1.0, X, W).retained == 0
    assert traced(lambda x: tf.exp(tf.exp(tf.exp(x))), X).retained == 3 * SIZE


def test_views_are_no_copies():
    def function(x):
        value = tf.exp(tf.reshape(x, [-1]))
        return tf.exp(tf.identity(tf.reshape(value, [4, 8])))

    assert traced(function, X).retained == 2 * SIZE


def test_a_gradient_may_take_the_place_of_what_nobody_needs_any_more():
    # tanh's result and a slope of ones; tanh's gradient takes the place of one of them.
    found = traced(lambda x: tf.reduce_sum(tf.tanh(x)), X)
    assert (found.retained, found.peak) == (SIZE, 2 * SIZE)


def test_sizes_follow_types_and_batches():
    def function(x):
        return tf.exp(tf.exp(x))

    assert traced(function, tf.TensorSpec([8, 4], tf.float64)).retained == 4 * SIZE
    assert traced(function, tf.TensorSpec([80, 4])).retained == 20 * SIZE


def test_a_second_derivative_keeps_more():
    def function(x, w):
        return tf.tanh(tf.tanh(x @ w) @ w)

    assert traced(function, X, W, order=2).retained > traced(function, X, W).retained


def test_computations_in_order():
    small_end = [TracedMemory(10, 5, 1), TracedMemory(20, 7, 2)]
    # While the last one's gradient is taken, all that the first one kept is there.
    assert in_order(small_end) == TracedMemory(30, 7, 3)
    # While the first one's gradient is taken, what the last one kept is gone.
    assert in_order([TracedMemory(10, 50, 1), TracedMemory(20, 7, 2)]) == TracedMemory(30, 30, 3)
    assert in_order([]) == TracedMemory(0, 0, 0)


def test_scaling():
    assert TracedMemory(10, 4, 7).scaled(2.5) == TracedMemory(25, 10, 7)
    assert TracedMemory(10, 4).peak == pytest.approx(14)
