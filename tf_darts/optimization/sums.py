"""Sums over many tensors."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf


def norms(structures: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """The Euclidean norm of each structure of tensors, by name."""
    return {name: tf.linalg.global_norm(tf.nest.flatten(s)) for name, s in structures.items()}


def all_finite(structure: Any) -> tf.Tensor:
    """1.0 where each of its scalars, of one type, is a finite number, else 0.0; float32."""
    finite = tf.reduce_all(tf.math.is_finite(tf.stack(tf.nest.flatten(structure))))
    return tf.cast(finite, tf.float32)
