"""Vectors of a thousand tensors, cut and joined in two levels.

TensorFlow's graph optimisers take a time that grows with the square of an operation's inputs or
outputs: a graph with one `tf.split` into 1,400 tensors and one `tf.concat` of them takes 20 s where
the same in groups takes 8.
"""

from collections.abc import Sequence

import tensorflow as tf

GROUP = 32


def concat(values: Sequence[tf.Tensor]) -> tf.Tensor:
    """`tf.concat` of vectors."""
    values = list(values)
    while len(values) > GROUP:
        values = [tf.concat(group, axis=0) for group in _groups(values)]
    return values[0] if len(values) == 1 else tf.concat(values, axis=0)


def split(vector: tf.Tensor, sizes: Sequence[int]) -> list[tf.Tensor]:
    """`tf.split` of a vector.

    Args:
      vector: of as many numbers as all `sizes` together.
      sizes: of the parts.
    """
    if len(sizes) <= GROUP:
        return tf.split(vector, sizes)
    width = GROUP
    while width * GROUP < len(sizes):
        width *= GROUP
    groups = [sizes[start : start + width] for start in range(0, len(sizes), width)]
    parts = tf.split(vector, [sum(group) for group in groups])
    return [
        part for joined, group in zip(parts, groups, strict=True) for part in split(joined, group)
    ]


class Parts(list):
    """A vector's parts, with the vector for who would join them again.

    It is a list, so it passes through compiled functions; what comes out there is without a vector.

    Attributes:
      vector: of which they are the parts; None where that is not known.

    Args:
      parts: tensors.
      vector: of which they are the parts.
    """

    def __init__(self, parts: Sequence[tf.Tensor] = (), vector: tf.Tensor | None = None) -> None:
        super().__init__(parts)
        self.vector = vector


def _groups(values: Sequence[tf.Tensor]) -> list[Sequence[tf.Tensor]]:
    return [values[start : start + GROUP] for start in range(0, len(values), GROUP)]
