"""The depthwise convolution with wide filters against TensorFlow's own, derivatives too."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.accelerate.convolutional.depthwise import depthwise_same
from tf_darts.testing.derivatives import agree as all_agree
from tf_darts.testing.derivatives import derivatives, random

TOLERANCES = {"float64": 1e-12, "float32": 1e-5}
SIZES = [(6, 6), (5, 7), (6, 5)]


def agree(ours, theirs, arguments):
    results = (derivatives(function, arguments) for function in (ours, theirs))
    all_agree(*results, TOLERANCES[arguments[0].dtype.name])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", [5, 7])
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_depthwise_at_stride_1(dtype, width, size):
    def theirs(inputs, kernel):
        return tf.nn.depthwise_conv2d(inputs, kernel, [1, 1, 1, 1], "SAME")

    arguments = [random(1, 2, *size, 4, dtype=dtype), random(2, width, width, 4, 1, dtype=dtype)]
    agree(depthwise_same, theirs, arguments)


@pytest.mark.parametrize("width", [5, 7])
def test_its_first_gradient_in_a_graph(width):
    """With sizes that are known only when it runs."""

    @tf.function(input_signature=[tf.TensorSpec([None, 5, 6, 2], tf.float64)], autograph=False)
    def gradients(inputs):
        return tf.gradients(depthwise_same(inputs, kernel) ** 2, [inputs, kernel])

    inputs, kernel = random(1, 3, 5, 6, 2), random(2, width, width, 2, 1)
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = tf.nn.depthwise_conv2d(inputs, kernel, [1, 1, 1, 1], "SAME") ** 2
    wanted = tape.gradient(outputs, [inputs, kernel])
    for one, other in zip(gradients(inputs), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)
