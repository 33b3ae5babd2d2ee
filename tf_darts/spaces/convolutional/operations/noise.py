"""Noise in place of the input (`noise`): an operation that a good search finds out."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.convolutional.operations.base import Operation
from tf_darts.spaces.draws import seed_for


class Noise(Operation):
    """N(0, 1) of the output's size, whatever the input: S4 of RobustDARTS (Zela et al., ICLR 2020).

    There are no weights, and the gradient by the input is 0.

    In training it is drawn anew whenever a loss is computed, by the loss's seed and the layer's own
    (`spaces/draws.py`): the same at w, w', w+ and w-, and other noise on other edges, in other
    cells and steps. In evaluation each pixel and channel of each layer has a number once and for
    all, the same for all images: what a network says of an image does not change, and an export
    has the noise as constants. The official code draws anew there too; the numbers are distributed
    alike. Nor are they replaced by their mean, as dropout's are: the network has learnt to live
    with noise, and without it would be another one.

    Args:
      **kwargs: of every `Operation`. With `seed` None layers still draw apart in training, but have
        the same numbers in evaluation: so a model that is loaded says what the saved one said.

    Examples:
      >>> layer = Noise(stride=2, seed=1)
      >>> layer(tf.zeros([1, 4, 4, 3]), training=True).shape
      TensorShape([1, 2, 2, 3])
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        unknown = self.seed is None
        self._number = int(keras.random.randint([], 0, 2**31 - 1)) if unknown else self.seed

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns noise [B, ceil(H/stride), ceil(W/stride), C]; H, W and C are known."""
        size = self.compute_output_shape(inputs.shape)[1:]
        shape = tf.concat([tf.shape(inputs)[:1], size], axis=0)
        if training:
            numbers = tf.random.stateless_normal(shape, seed_for(self._number), dtype=inputs.dtype)
        else:
            random = np.random.default_rng(sub_seed(self.seed or 0, "evaluation"))
            numbers = tf.constant(random.standard_normal([1, *size]), inputs.dtype)
            numbers = tf.broadcast_to(numbers, shape)
        return tf.ensure_shape(numbers, [inputs.shape[0], *size])
