"""Batch normalisation: numbers, running statistics, derivatives."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.spaces.convolutional.operations.batch_norm import (
    BatchNorm,
    StatisticsLedger,
    normalize,
    normalize_batch,
)

SHAPE = (3, 4, 5, 2)


def images(seed=0, shape=SHAPE):
    return 1.5 * np.random.default_rng(seed).standard_normal(shape) + 0.7


def moments(x):
    """Means, biased and unbiased variances of the channels, pixel by pixel."""
    pixels = [x[b, i, j] for b, i, j in np.ndindex(*x.shape[:3])]
    mean = sum(pixels) / len(pixels)
    squares = sum((pixel - mean) ** 2 for pixel in pixels)
    return mean, squares / len(pixels), squares / max(len(pixels) - 1, 1)


def batch_norm(affine=False, mean=(0.3, -0.2), variance=(0.8, 1.4)):
    layer = BatchNorm(affine)
    layer.build((None, None, None, len(mean)))
    layer.running_mean.assign(mean)
    layer.running_variance.assign(variance)
    if affine:
        layer.scale.assign([0.5, -2.0])
        layer.offset.assign([0.1, 0.4])
    return layer


def statistics(layer):
    return layer.running_mean.numpy(), layer.running_variance.numpy()


@pytest.mark.parametrize("affine", [True, False])
def test_training(affine, float64):
    layer, x = batch_norm(affine), images()
    before = statistics(layer)
    mean, biased, unbiased = moments(x)
    wanted = (x - mean) / np.sqrt(biased + 1e-5)
    if affine:
        wanted = wanted * [0.5, -2.0] + [0.1, 0.4]
    outputs = layer(tf.constant(x), training=True)
    np.testing.assert_allclose(outputs, wanted, rtol=1e-12, atol=1e-12)
    for old, new, batch in zip(before, statistics(layer), (mean, unbiased), strict=True):
        np.testing.assert_allclose(new, 0.9 * old + 0.1 * batch, rtol=1e-12)


@pytest.mark.parametrize("affine", [True, False])
def test_evaluation(affine, float64):
    layer, x = batch_norm(affine), images()
    before = statistics(layer)
    wanted = (x - before[0]) / np.sqrt(before[1] + 1e-5)
    if affine:
        wanted = wanted * [0.5, -2.0] + [0.1, 0.4]
    np.testing.assert_allclose(layer(tf.constant(x)), wanted, rtol=1e-12, atol=1e-12)
    # Nothing comes from the rest of the batch, and nothing moves.
    np.testing.assert_allclose(layer(tf.constant(x[:1])), wanted[:1], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(statistics(layer), before)


def test_epsilon_keeps_a_constant_channel_finite(float64):
    x = images()
    x[..., 1] = 4.0
    outputs = batch_norm()(tf.constant(x), training=True).numpy()
    assert np.abs(outputs[..., 1]).max() == 0.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_single_pixel_has_variance_zero(dtype):
    values = tf.constant(images(shape=(1, 1, 1, 2)), dtype)
    ones = tf.ones([2], dtype)
    result, mean, variance = normalize_batch(values, ones, 0.0 * ones)
    np.testing.assert_array_equal(result, np.zeros([1, 1, 1, 2]))
    np.testing.assert_array_equal(mean, values[0, 0, 0])
    np.testing.assert_array_equal(variance, [0.0, 0.0])


def test_the_kernel_for_float32_gives_the_same():
    x, scale, offset = images(), np.array([0.5, -2.0]), np.array([0.1, 0.4])
    exact, single = (
        normalize_batch(*(tf.constant(v, dtype) for v in (x, scale, offset)))
        for dtype in ("float64", "float32")
    )
    for one, other in zip(exact, single, strict=True):
        assert other.dtype == tf.float32
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)


def first_gradient(x, scale, offset):
    """Of something curved, by all three."""
    weights = tf.cast(images(1), x.dtype)
    with tf.GradientTape() as tape:
        tape.watch([x, scale, offset])
        loss = tf.reduce_sum(weights * tf.cos(normalize_batch(x, scale, offset)[0]))
    return tape.gradient(loss, [x, scale, offset])


def second_derivative(point, direction):
    """The Hessian times the direction, by a tape in a tape."""
    with tf.GradientTape() as tape:
        tape.watch(point)
        gradient = first_gradient(*point)
        product = tf.add_n([tf.reduce_sum(g * d) for g, d in zip(gradient, direction, strict=True)])
    return tape.gradient(product, point)


def flat(values):
    return np.concatenate([np.ravel(value) for value in values])


def error(ours, theirs):
    return np.linalg.norm(flat(ours) - flat(theirs)) / np.linalg.norm(flat(theirs))


def test_second_derivatives():
    point = [images(), np.array([0.5, -2.0]), np.array([0.1, 0.4])]
    direction = [images(2), np.array([1.0, 0.3]), np.array([-0.4, 0.8])]

    def tensors(values, dtype="float64"):
        return [tf.constant(value, dtype) for value in values]

    def moved(step):
        return [p + step * d for p, d in zip(point, direction, strict=True)]

    radius = 1e-5
    ahead, behind = (first_gradient(*tensors(moved(step))) for step in (radius, -radius))
    differences = [(a - b) / (2 * radius) for a, b in zip(ahead, behind, strict=True)]
    exact = second_derivative(tensors(point), tensors(direction))
    assert error(exact, differences) < 1e-8
    gradients = [first_gradient(*tensors(point, dtype)) for dtype in ("float32", "float64")]
    assert error(*gradients) < 1e-5
    single = second_derivative(tensors(point, "float32"), tensors(direction, "float32"))
    assert error(single, exact) < 1e-5


def pair(seed=5):
    rng = np.random.default_rng(seed)
    return [batch_norm(mean=rng.normal(size=2), variance=rng.uniform(0.5, 2, 2)) for _ in "ab"]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_ledger_gives_what_would_have_been_assigned(shared, dtype, request):
    if dtype == "float64":
        request.getfixturevalue("float64")
    layers, single = pair(), batch_norm()
    variables = [v for layer in [*layers, single] for v in statistics_variables(layer)]
    before = [v.numpy() for v in variables]
    channels = 2 if shared else 4
    x = tf.constant(images(shape=(3, 4, 5, channels)), dtype)
    ones = tf.ones([channels], dtype)

    def step():
        wide = normalize(x, layers, ones, 0.0 * ones, training=True)
        return wide, single(x[..., :2], training=True)

    with StatisticsLedger() as ledger:
        recorded = step()
    for one, other in zip(before, variables, strict=True):
        np.testing.assert_array_equal(one, other)
    # In whatever order one asks.
    moved = ledger.new_statistics(variables[::-1])[::-1]
    assigned = step()
    for one, other in zip(recorded, assigned, strict=True):
        np.testing.assert_array_equal(one, other)
    for value, variable, old in zip(moved, variables, before, strict=True):
        np.testing.assert_array_equal(value, variable)
        assert np.abs(value - old).min() > 0
    mean, _, unbiased = moments(x.numpy().astype("float64"))
    places = [slice(0, 2), slice(0, 2) if shared else slice(2, 4), slice(0, 2)]
    for i, place in enumerate(places):
        for k, batch in enumerate((mean, unbiased)):
            wanted = 0.9 * before[2 * i + k] + 0.1 * batch[place]
            np.testing.assert_allclose(moved[2 * i + k], wanted, rtol=1e-5)


def statistics_variables(layer):
    return [layer.running_mean, layer.running_variance]


def test_side_by_side_is_one_by_one(float64):
    layers, x = pair(), tf.constant(images(shape=(3, 4, 5, 4)))
    scale, offset = (tf.constant(images(seed, shape=(4,)), tf.float64) for seed in (3, 4))
    for training in (True, False):
        outputs = normalize(x, layers, scale, offset, training)
        for i, layer in enumerate(pair()):
            place = slice(2 * i, 2 * i + 2)
            alone = normalize(x[..., place], [layer], scale[place], offset[place], training)
            np.testing.assert_allclose(outputs[..., place], alone, rtol=1e-12, atol=1e-12)
            if training:
                np.testing.assert_allclose(statistics(layers[i]), statistics(layer), rtol=1e-12)
        layers = pair()


def test_ledgers_close_and_pass_no_gradient_on():
    layer, x = batch_norm(), tf.constant(images(), tf.float32)
    with pytest.raises(RuntimeError, match="inside"), StatisticsLedger():
        raise RuntimeError("inside")
    layer(x, training=True)
    assert np.abs(layer.running_mean.numpy() - [0.3, -0.2]).min() > 0
    with tf.GradientTape() as tape, StatisticsLedger() as ledger:
        tape.watch(x)
        layer(x, training=True)
        total = tf.add_n(ledger.new_statistics(statistics_variables(layer)))
    assert tape.gradient(total, x) is None


def test_configurations_go_round():
    for affine in (True, False):
        layer = BatchNorm(affine, name="some_name")
        again = BatchNorm.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        again.build((None, 4, 4, 2))
        assert len(again.trainable_weights) == (2 if affine else 0)
        assert len(again.non_trainable_weights) == 2
