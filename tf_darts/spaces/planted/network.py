"""A network of six edges that see a field of the image each, relaxed and derived."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.runtime.precision import full
from tf_darts.spaces.convolutional.operations.base import child_seed, uniform
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm

_TAPS = (-1, 0, 1)


class SpreadConvolution(keras.layers.Layer):
    """3×3 convolution, ReLU, the mean over the field, batch norm (`taps_1`, `taps_3`, …).

    The field has no borders: what leaves it on one side is there on the other. So what comes out
    does not depend on where something is, but on what the taps see together.

    Args:
      channels: C, how many come out.
      distance: between neighbouring taps, in pixels.
      affine: whether the batch norm has scale and offset; the search has none.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    def __init__(
        self,
        channels: int,
        distance: int,
        affine: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.distance = distance
        self.seed = seed
        self.norm = BatchNorm(affine, dtype=self.dtype_policy, name="norm")

    def build(self, shape: tuple[int | None, ...]) -> None:
        taps = len(_TAPS) ** 2
        names = {"kernel": (taps, self.channels), "bias": (self.channels,)}
        self.kernel, self.bias = (
            self.add_weight(
                name=name, shape=size, initializer=uniform(child_seed(self.seed, name), taps)
            )
            for name, size in names.items()
        )
        self.norm.build((shape[0], 1, 1, self.channels))

    def call(self, field: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[B, H, W] to [B, C]."""
        _, height, width = field.shape
        pixels = np.arange(height * width).reshape(height, width)
        shifts = [(y * self.distance, x * self.distance) for y in _TAPS for x in _TAPS]
        places = np.stack([np.roll(pixels, shift, axis=(0, 1)) for shift in shifts], axis=-1)
        seen = tf.gather(tf.reshape(field, [-1, height * width]), places, axis=1)
        kernel, bias = (tf.convert_to_tensor(weight) for weight in (self.kernel, self.bias))
        means = tf.reduce_mean(tf.nn.relu(seen @ kernel + bias), axis=[1, 2], keepdims=True)
        return self.norm(means, training=training)[:, 0, 0]


class FieldsNetwork(keras.Model):
    """An edge for each field; a linear layer makes logits of all that they see.

    Args:
      edges: for each field the names of its operations, "taps_DISTANCE": in a supernet those that
        may be chosen, in a derived network the chosen one.
      classes: how many there are.
      channels: C, what each operation makes of a field.
      affine: of the operations' batch norms.
      seed: integer for the initial weights; None draws from Keras' global generator.
    """

    def __init__(
        self,
        edges: Sequence[Sequence[str]],
        classes: int,
        channels: int,
        affine: bool,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.channels = channels
        self.seed = seed
        self.edges = [
            [
                SpreadConvolution(
                    channels,
                    int(name.removeprefix("taps_")),
                    affine,
                    seed=child_seed(seed, i, name),
                    autocast=False,
                    name=f"field_{i}_{name}",
                )
                for name in names
            ]
            for i, names in enumerate(edges)
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        for operation in (operation for operations in self.edges for operation in operations):
            operation.build((*shape[:2], shape[2] // 2))
        features = len(self.edges) * self.channels
        self.head_kernel, self.head_bias = (
            self.add_weight(
                name=name, shape=size, initializer=uniform(child_seed(self.seed, name), features)
            )
            for name, size in (
                ("head_kernel", (features, self.classes)),
                ("head_bias", (self.classes,)),
            )
        )
        self.built = True

    def call(
        self,
        images: tf.Tensor,
        mixing: Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns the logits [B, classes].

        Args:
          images: [B, H, W, channels]; of three channels each half is three fields.
          mixing: "cell", [edges, operations]; None where each edge has one operation.
          training: batch or running statistics.
        """
        images, seen = full(images), []
        for i, operations in enumerate(self.edges):
            field = _field(images, i)
            outputs = [operation(field, training=training) for operation in operations]
            if mixing is not None:  # eq. 2
                weights = tf.unstack(mixing["cell"][i], len(outputs))
                outputs = [p * output for p, output in zip(weights, outputs, strict=True)]
            seen.append(tf.add_n(outputs))
        kernel, bias = (tf.convert_to_tensor(w) for w in (self.head_kernel, self.head_bias))
        return tf.concat(seen, axis=-1) @ kernel + bias


def _field(images: tf.Tensor, number: int) -> tf.Tensor:
    """[B, H, W/2]: a channel of a half, from the left; from the beginning where there are few."""
    width, channels = images.shape[2] // 2, images.shape[3]
    start = width * (number // channels % 2)
    return images[:, :, start : start + width, number % channels]
