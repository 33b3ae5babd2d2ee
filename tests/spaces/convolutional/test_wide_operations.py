"""Operations on many edges at once against TensorFlow's own, derivatives too."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.spaces.convolutional.depthwise import depthwise_same
from tf_darts.spaces.convolutional.wide_operations import (
    concat,
    max_pool,
    tile_channels,
    wide_pointwise,
)

TOLERANCES = {"float64": 1e-12, "float32": 1e-5}
SIZES = [(6, 6), (5, 7), (6, 5)]


def random(seed, *shape, dtype="float64"):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), dtype)


def derivatives(function, arguments):
    """The value, its gradient against a random direction, and that gradient's own.

    The second is by the arguments and by the first one's direction.
    """
    shape = function(*arguments).shape
    upstream = random(100, *shape, dtype=arguments[0].dtype)
    with tf.GradientTape() as outer:
        outer.watch([upstream, *arguments])
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            outputs = function(*arguments)
        first = inner.gradient(outputs, arguments, output_gradients=upstream)
        total = tf.add_n(
            [
                tf.reduce_sum(gradient * random(200 + i, *gradient.shape, dtype=gradient.dtype))
                for i, gradient in enumerate(first)
            ]
        )
    second = outer.gradient(total, [upstream, *arguments], unconnected_gradients="zero")
    return [outputs, *first, *second]


def agree(ours, theirs, arguments):
    tolerance = TOLERANCES[arguments[0].dtype.name]
    results = zip(derivatives(ours, arguments), derivatives(theirs, arguments), strict=True)
    for one, other in results:
        assert one.shape == other.shape
        distance, norm = np.linalg.norm(one - other), np.linalg.norm(other)
        assert distance <= tolerance * norm


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", [3, 5, 7])
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


@pytest.mark.parametrize(
    ("edges", "channels", "outputs"), [(1, 4, 4), (3, 4, 4), (3, 2, 5), (3, 24, 24), (4, 17, 3)]
)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_wide_pointwise(dtype, edges, channels, outputs):
    """As one product up to 64 channels, as one for each edge beyond."""

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
