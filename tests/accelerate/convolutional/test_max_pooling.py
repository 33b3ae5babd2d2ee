"""Max pooling against TensorFlow's own, derivatives too."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.accelerate.convolutional.max_pooling import max_pool
from tf_darts.testing.derivatives import agree as all_agree
from tf_darts.testing.derivatives import derivatives, random

TOLERANCES = {"float64": 1e-12, "float32": 1e-5}


def agree(ours, theirs, arguments):
    results = (derivatives(function, arguments) for function in (ours, theirs))
    all_agree(*results, TOLERANCES[arguments[0].dtype.name])


def their_max_pool(inputs, stride):
    padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=inputs.dtype.min)
    return tf.nn.max_pool2d(padded, 3, stride, "VALID")


@pytest.mark.parametrize("size", [(6, 6), (5, 7), (6, 5), (1, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_max_pool(stride, size):
    """Negative inputs: padding never wins."""
    inputs = -2.0 - tf.abs(random(1, 2, *size, 3))
    # Curved before and behind, so that there are second derivatives by all.
    agree(
        lambda x: tf.sin(max_pool(x**2 - 50.0, stride)),
        lambda x: tf.sin(their_max_pool(x**2 - 50.0, stride)),
        [inputs],
    )
    agree(lambda x: max_pool(x, stride), lambda x: their_max_pool(x, stride), [inputs])


@pytest.mark.parametrize("stride", [1, 2])
def test_max_pool_in_float32(stride):
    inputs = random(1, 2, 6, 5, 3, dtype="float32")
    agree(lambda x: max_pool(x, stride), lambda x: their_max_pool(x, stride), [inputs])


@pytest.mark.parametrize("size", [(6, 6), (5, 7)])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_first_of_equal_pixels_gets_it_all(stride, size):
    values = np.random.default_rng(1).integers(0, 2, size=[2, *size, 2]).astype("float64")
    rows, columns = (-(-pixels // stride) for pixels in size)
    upstream = random(2, 2, rows, columns, 2).numpy()
    wanted = np.zeros_like(values)
    for b, y, x, c in np.ndindex(*upstream.shape):
        window = [
            (i, j)
            for i in range(y * stride - 1, y * stride + 2)
            for j in range(x * stride - 1, x * stride + 2)
            if 0 <= i < size[0] and 0 <= j < size[1]
        ]
        # `max` gives the first of equal ones.
        i, j = max(window, key=lambda place, b=b, c=c: values[b, *place, c])
        wanted[b, i, j, c] += upstream[b, y, x, c]
    inputs = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = max_pool(inputs, stride)
    gradient = tape.gradient(outputs, inputs, output_gradients=tf.constant(upstream))
    np.testing.assert_allclose(gradient, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
def test_max_pool_of_one_value(stride):
    """All equal, zeros from ReLU too: nothing is lost, nothing is counted twice."""
    inputs = tf.zeros([1, 5, 6, 1], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = max_pool(inputs, stride)
    gradient = tape.gradient(outputs, inputs)
    assert float(tf.reduce_sum(gradient)) == np.prod(outputs.shape)
