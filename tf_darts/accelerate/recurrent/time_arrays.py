"""What the hand-written recurrences share: matrices of rows, and arrays over time."""

from typing import Any

import tensorflow as tf


def flat(x: tf.Tensor) -> tf.Tensor:
    """[…, columns] to a matrix."""
    return tf.reshape(x, [-1, x.shape[-1]])


def arrays(structure: Any, steps: tf.Tensor, dtype: tf.DType) -> Any:
    """One `tf.TensorArray` for each leaf of `structure`."""
    return tf.nest.map_structure(
        lambda _: tf.TensorArray(dtype, size=steps, clear_after_read=False), structure
    )


def write(arrays: Any, t: tf.Tensor, values: Any) -> Any:
    """The arrays with each leaf of `values` written at time `t`."""
    return tf.nest.map_structure(lambda array, x: array.write(t, x), arrays, values)
