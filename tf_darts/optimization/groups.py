"""Weights in groups: a few vectors are moved faster than a thousand small tensors."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

_SIZE = 2**18  # numbers in a group: a megabyte, which stays in a core's cache


class WeightGroups:
    """Which weights stand one after another in which vector.

    A group has neighbours, together of at most `_SIZE` numbers, or a single larger one.

    Args:
      weights: of one type, of known shapes.
    """

    def __init__(self, weights: Sequence[keras.Variable]) -> None:
        self._shapes: list[list[tuple[int, ...]]] = []
        size = _SIZE
        for weight in weights:
            shape = tuple(weight.shape)
            size += math.prod(shape)
            if size > _SIZE:
                size = math.prod(shape)
                self._shapes.append([])
            self._shapes[-1].append(shape)

    @property
    def sizes(self) -> list[int]:
        """The length of each vector."""
        return [sum(math.prod(shape) for shape in shapes) for shapes in self._shapes]

    def join(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The vectors of the weights' values."""
        parts, vectors = iter(values), []
        for shapes in self._shapes:
            flat = [tf.reshape(next(parts), [-1]) for _ in shapes]
            vectors.append(tf.concat(flat, axis=0) if len(flat) > 1 else flat[0])
        return vectors

    def split(self, vectors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The weights' values."""
        values = []
        for vector, shapes in zip(vectors, self._shapes, strict=True):
            parts = tf.split(vector, [math.prod(shape) for shape in shapes])
            values += [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
        return values
