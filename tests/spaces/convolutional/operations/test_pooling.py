"""Max pooling and its gradient, pixel by pixel: eagerly, and compiled, which is oneDNN's kernel."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.spaces.convolutional.operations.pooling import MaxPooling
from tf_darts.testing.derivatives import random


def gradient_of(inputs, upstream, stride, compiled):
    layer = MaxPooling(stride=stride, dtype=inputs.dtype.name)

    def gradient(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        return tape.gradient(outputs, inputs, output_gradients=upstream)

    return (tf.function(gradient, autograph=False) if compiled else gradient)(inputs, upstream)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(6, 6), (5, 7), (1, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_first_of_equal_pixels_gets_it_all(stride, size, dtype, compiled):
    """Of few values, all negative: many are equal, and padding never wins."""
    values = np.random.default_rng(1).integers(-4, -1, size=[2, *size, 2]).astype(dtype)
    rows, columns = (-(-pixels // stride) for pixels in size)
    upstream = random(2, 2, rows, columns, 2, dtype=dtype).numpy()
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
    gradient = gradient_of(tf.constant(values), tf.constant(upstream), stride, compiled)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-6)
