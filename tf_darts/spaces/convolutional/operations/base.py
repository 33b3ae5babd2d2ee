"""What the operations on a cell's edges have in common."""

from collections.abc import Collection
from typing import Any

import keras
import tensorflow as tf

from tf_darts.errors import UserError, did_you_mean
from tf_darts.runtime.seeds import sub_seed


def pad(inputs: tf.Tensor, rows: int, columns: int, value: float = 0.0) -> tf.Tensor:
    """Puts so many rows and columns of `value` on each side."""
    margins = [[0, 0], [rows, rows], [columns, columns], [0, 0]]
    return tf.pad(inputs, margins, constant_values=value)


def uniform(seed: int | None, fan_in: int) -> keras.initializers.Initializer:
    """Uniform in ±1/√fan_in, how the reference begins every convolution."""
    limit = float(fan_in) ** -0.5
    return keras.initializers.RandomUniform(-limit, limit, seed=seed)


def child_seed(seed: int | None, *purpose: str | int) -> int | None:
    """A seed for a part of a layer; None leaves it to Keras."""
    return None if seed is None else sub_seed(seed, *purpose)


def check_operation_name(name: object, known: Collection[str]) -> None:
    """Raises `UserError` where there is no such operation."""
    if not isinstance(name, str) or name not in known:
        raise UserError(
            f"There is no operation {name!r:.60}{did_you_mean(name, known)}; give one of"
            f" {', '.join(known)}."
        )


def keep_activations(model: keras.Layer) -> None:
    """Lets 16-bit activations pass from layer to layer of a model (`runtime/precision.py`).

    Keras casts what a layer gets to the type of its variables. Added operations are left to that:
    they compute as their authors meant them to.
    """
    for layer in model._flatten_layers(include_self=False):
        if type(layer).__module__.startswith("tf_darts."):
            layer.autocast = False


class Operation(keras.layers.Layer):
    """What the operations have in common.

    Args:
      stride: 1 or 2.
      affine: whether batch normalisation has scale and offset; the search has none.
      seed: integer for the initial weights; None draws from Keras' global generator.

    Raises:
      UserError: another stride.
    """

    def __init__(
        self, stride: int = 1, affine: bool = True, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if stride not in (1, 2):
            raise UserError(f"An operation with stride {stride!r:.60}: it must be 1 or 2.")
        self.stride = stride
        self.affine = affine
        self.seed = seed

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *size, channels = input_shape
        size = [None if pixels is None else -(-pixels // self.stride) for pixels in size]
        return (batch, *size, channels)

    def weight_uses(self, input_shape: tuple[int | None, ...]) -> list[tuple[int, int]]:
        """How large an added operation is; `counts.py` counts the space's own.

        Returns:
          For each of its trainable weights' tensors, how many they are, and how often each of them
          takes part in a multiply-add of convolutions or linear layers, for one image.
        """
        raise NotImplementedError(f"{type(self).__name__} has no weight_uses")

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("stride", "affine", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}
