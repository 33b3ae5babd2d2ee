"""The check of activations: it passes ours, and says of each kind of fault what it is."""

import pytest
import tensorflow as tf

from tests.support.swish import swish
from tf_darts.spaces.recurrent.activations import ACTIVATIONS
from tf_darts.testing import check_activation


@pytest.mark.parametrize("activation", [*ACTIVATIONS, swish, tf.nn.gelu, tf.nn.elu, tf.sin])
def test_what_is_right_passes(activation):
    check_activation(activation)


def halved(x):
    return tf.cast(0.5 * tf.cast(x, tf.float32), x.dtype)


@tf.custom_gradient
def wrong_slope(x):
    return tf.tanh(x), lambda upstream: upstream


@tf.custom_gradient
def without_second(x):
    return tf.exp(-x * x), lambda g: -2.0 * g * tf.stop_gradient(x * tf.exp(-x * x))


def centred(x):
    return x - tf.reduce_mean(x)


def noisy(x):
    return x + tf.random.normal(tf.shape(x), dtype=x.dtype)


@pytest.mark.parametrize(
    ("activation", "sentence"),
    [
        ("swish", "There is no activation 'swish'."),
        (tf.reduce_sum, r"reduce_sum makes \(\) float32 of \(4, 5\) float32; it must keep both"),
        (lambda x: x * tf.constant(2.0), "fails with float64"),
        (lambda x: tf.cast(x, tf.float32), "float32 of .* float64; it must keep both"),
        (centred, "centred of a number depends on its neighbours"),
        (noisy, "noisy is another the next time"),
        (tf.exp, r"exp has no finite value at ±10000"),
        (wrong_slope, "wrong_slope: the gradient by its argument"),
        (without_second, "without_second, second derivative: the gradient by its argument"),
        (halved, "halved: the gradient"),
    ],
)
def test_what_is_wrong_is_said(activation, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_activation(activation)
