"""The operations of the space `planted`, by loops over pixels, and what they can tell apart."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.data.images.planted_answer import DISTANCES, SIDE
from tf_darts.spaces.planted.network import FieldsNetwork, SpreadConvolution


def built(distance, seed=1, size=(SIDE, SIDE)):
    layer = SpreadConvolution(4, distance, affine=False, seed=seed)
    layer.build((None, *size))
    return layer


@pytest.mark.parametrize("distance", [1, 3])
def test_a_convolution_by_loops(distance, float64):
    fields = np.random.default_rng(0).standard_normal((3, 5, 4))
    layer = built(distance, size=(5, 4))
    kernel = layer.kernel.numpy().reshape(3, 3, 4)
    means = np.zeros([3, 4])
    for y in range(5):
        for x in range(4):
            value = layer.bias.numpy() + sum(
                fields[:, (y - (i - 1) * distance) % 5, (x - (j - 1) * distance) % 4, np.newaxis]
                * kernel[i, j]
                for i in range(3)
                for j in range(3)
            )
            means += np.maximum(value, 0) / 20
    wanted = (means - means.mean(0)) / np.sqrt(means.var(0) + 1e-5)
    np.testing.assert_allclose(layer(tf.constant(fields), training=True), wanted, rtol=1e-9)


def field(distance, right, corner):
    pixels = np.full([SIDE, SIDE], -0.2)
    row, column = corner
    pixels[row, column] = 5.0
    pixels[(row + distance) % SIDE, (column + (distance if right else -distance)) % SIDE] = 5.0
    return pixels


@pytest.mark.parametrize("apart", DISTANCES)
def test_only_the_operation_of_its_distance_tells_sides_apart(apart, float64):
    """The others say exactly the same of both, whatever their weights are."""
    corners = [(0, 0), (3, 15), (9, 2)]
    fields = [field(apart, right, corner) for right in (True, False) for corner in corners]
    for distance in DISTANCES:
        for seed in range(3):
            seen = built(distance, seed)(tf.constant(np.array(fields))).numpy()
            right, left = np.split(seen, 2)
            same = np.abs(right - left).max() < 1e-12
            assert same == (distance != apart)
            np.testing.assert_allclose(right - right[:1], 0, atol=1e-12)  # wherever it is


def test_each_edge_has_a_field_of_its_own(float64):
    names = [("taps_1",)] * 6
    model = FieldsNetwork(names, 2, channels=3, affine=True, seed=0)
    images = np.random.default_rng(0).standard_normal((1, 4, 6, 3))
    model.build(images.shape)
    model.head_kernel.assign(np.random.default_rng(1).standard_normal((18, 2)))
    seen = []
    for half in range(2):
        for channel in range(3):
            changed = images.copy()
            changed[:, :, 3 * half : 3 * half + 3, channel] += [1.0, 0.0, -2.0]
            with tf.GradientTape() as tape:
                logits = model(tf.constant(changed)) - model(tf.constant(images))
                value = tf.reduce_sum(logits**2)
            (slope,) = tape.gradient(value, [model.head_kernel.value])
            seen.append(np.flatnonzero(np.abs(slope.numpy()).sum(axis=1) > 1e-12) // 3)
    for i, rows in enumerate(seen):
        assert set(rows) == {i}


def test_an_edge_is_the_weighted_sum_of_its_operations(float64):
    names = [("taps_1", "taps_3")] * 6
    relaxed = FieldsNetwork(names, 4, channels=3, affine=False, seed=0)
    images = tf.constant(np.random.default_rng(0).standard_normal((5, 8, 8, 3)))
    relaxed.build(images.shape)
    mixing = np.random.default_rng(1).dirichlet([1, 1], 6)
    features = []
    for row, operations in enumerate(relaxed.edges):
        half, channel = divmod(row, 3)
        one = images[:, :, 4 * half : 4 * half + 4, channel]
        values = [operation(one, training=True) for operation in operations]
        features.append(mixing[row, 0] * values[0] + mixing[row, 1] * values[1])
    wanted = tf.concat(features, -1) @ relaxed.head_kernel.value + relaxed.head_bias.value
    logits = relaxed(images, {"cell": tf.constant(mixing)}, training=True)
    np.testing.assert_allclose(logits, wanted, rtol=1e-9, atol=1e-12)
