"""Operations on many edges at once against TensorFlow's own, derivatives too."""

import pytest
import tensorflow as tf

from tf_darts.accelerate.convolutional.side_by_side import concat, tile_channels, wide_pointwise
from tf_darts.testing.derivatives import agree as all_agree
from tf_darts.testing.derivatives import derivatives, random

TOLERANCES = {"float64": 1e-12, "float32": 1e-5}


def agree(ours, theirs, arguments):
    results = (derivatives(function, arguments) for function in (ours, theirs))
    all_agree(*results, TOLERANCES[arguments[0].dtype.name])


@pytest.mark.parametrize(
    ("edges", "channels", "outputs"),
    [(1, 4, 4), (3, 4, 4), (3, 2, 5), (2, 24, 24), (3, 24, 24), (4, 17, 3)],
)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_wide_pointwise(dtype, edges, channels, outputs):
    """As one product up to 48 channels, as one for each edge beyond."""

    def ours(inputs, *kernels):
        return wide_pointwise(inputs, kernels)

    def theirs(inputs, *kernels):
        parts = [
            tf.einsum("bhwc,cd->bhwd", inputs[..., i * channels : (i + 1) * channels], kernel)
            for i, kernel in enumerate(kernels)
        ]
        return tf.concat(parts, axis=-1)

    kernels = [random(10 + i, channels, outputs, dtype=dtype) for i in range(edges)]
    agree(ours, theirs, [random(1, 2, 3, 2, edges * channels, dtype=dtype), *kernels])


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("count", [1, 3])
def test_concat(axis, count):
    def apart(join):
        return lambda *values: tf.sin(join(values, axis=axis))

    agree(apart(concat), apart(tf.concat), [random(i, 2, 3, 4) for i in range(count)])


@pytest.mark.parametrize("count", [1, 3])
def test_tile_channels(count):
    def ours(inputs):
        return tf.sin(tile_channels(inputs, count))

    def theirs(inputs):
        return tf.sin(tf.concat([inputs] * count, axis=-1))

    agree(ours, theirs, [random(1, 2, 3, 4, 2)])
