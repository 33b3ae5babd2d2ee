"""Every second pixel against strided slices, derivatives too."""

import pytest
import tensorflow as tf

from tf_darts.accelerate.convolutional.every_second_pixel import even_and_odd_pixels
from tf_darts.spaces import fast_forms
from tf_darts.spaces.convolutional.operations.convolutions import even_and_odd
from tf_darts.testing.derivatives import agree, derivatives, random


@pytest.mark.parametrize("size", [(2, 2), (4, 6), (6, 4)])
@pytest.mark.parametrize("which", [[0], [1], [0, 1]])
def test_even_and_odd_pixels(size, which):
    """Both, and where only one of them is read."""

    def strided(inputs):
        pixels = inputs[:, ::2, ::2], inputs[:, 1::2, 1::2]
        return tf.concat([tf.sin(pixels[i]) * (1.0 + i) for i in which], axis=-1)

    def halves(inputs):
        pixels = even_and_odd_pixels(inputs)
        return tf.concat([tf.sin(pixels[i]) * (1.0 + i) for i in which], axis=-1)

    inputs = [random(1, 2, *size, 3)]
    agree(*(derivatives(function, inputs) for function in (halves, strided)), 1e-12)


@pytest.mark.parametrize("size", [(5, 4), (4, 5), (3, 3)])
def test_odd_sizes_are_strided_slices(size):
    with fast_forms.recorded() as taken:
        even, odd = even_and_odd(random(1, 2, *size, 3))
    assert taken == []
    assert even.shape == odd.shape == (2, -(-size[0] // 2), -(-size[1] // 2), 3)
