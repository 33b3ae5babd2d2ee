"""What is left out is a setting of the process; the numbers stay."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.runtime import graph_optimisers
from tf_darts.runtime.graph_optimisers import ALL, NOT_WORTH_IT, leave_out_graph_optimisers


def block_gradients():
    """Of a loss of convolutions, a norm and a mixture, compiled anew: all that a supernet has."""
    random = np.random.default_rng(0)
    image = tf.constant(random.standard_normal([2, 8, 8, 4]), tf.float32)
    values = [
        tf.constant(random.standard_normal(s), tf.float32)
        for s in ([3, 3, 4, 1], [1, 1, 4, 4], [2])
    ]

    @tf.function(autograph=False)
    def gradients(depthwise, pointwise, alphas):
        with tf.GradientTape() as tape:
            tape.watch([depthwise, pointwise, alphas])
            mixing = tf.nn.softmax(alphas)
            x = tf.nn.relu(image)
            convolved = tf.nn.depthwise_conv2d(x, depthwise, [1, 1, 1, 1], "SAME")
            convolved = tf.nn.conv2d(convolved, pointwise, 1, "SAME")
            convolved, *_ = tf.compat.v1.nn.fused_batch_norm(convolved, tf.ones(4), tf.zeros(4))
            pooled = tf.nn.max_pool2d(x, 3, 1, "SAME")
            loss = tf.reduce_mean((mixing[0] * convolved + mixing[1] * pooled) ** 2)
        return tape.gradient(loss, [depthwise, pointwise, alphas])

    return [gradient.numpy() for gradient in gradients(*values)]


def left_out():
    options = tf.config.optimizer.get_experimental_options()
    return {name for name in NOT_WORTH_IT if options.get(name) is False}


@pytest.mark.parametrize("of_search", [False, True])
def test_the_numbers_are_the_same(of_search):
    assert not left_out()
    expected = block_gradients()
    assert leave_out_graph_optimisers(of_search=of_search)
    for mine, other in zip(block_gradients(), expected, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_they_are_off():
    assert leave_out_graph_optimisers()
    assert left_out() == set(NOT_WORTH_IT)


def test_a_search_leaves_out_all():
    assert leave_out_graph_optimisers(of_search=True)
    assert tf.config.optimizer.get_experimental_options()[ALL] is True


def test_a_gpu_keeps_them(monkeypatch):
    monkeypatch.setattr(graph_optimisers.tf.config, "list_physical_devices", lambda kind: [kind])
    assert not leave_out_graph_optimisers()
    assert not left_out()
