"""Weights in groups: a few vectors are moved faster than a thousand small tensors."""

import itertools
import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_darts.optimization.flat import FlatLayout

_SIZE = 2**18  # numbers in a group: a megabyte, which stays in a core's cache


class WeightGroups:
    """Which weights stand one after another in which vector.

    A group has neighbours, together of at most `_SIZE` numbers, or a single larger one.

    Args:
      weights: of one type, of known shapes.
    """

    def __init__(self, weights: Sequence[keras.Variable]) -> None:
        groups: list[list[keras.Variable]] = []
        size = _SIZE
        for weight in weights:
            own = math.prod(weight.shape)
            size += own
            if size > _SIZE:
                size = own
                groups.append([])
            groups[-1].append(weight)
        self._layouts = [FlatLayout(group) for group in groups]

    @property
    def sizes(self) -> list[int]:
        """The length of each vector."""
        return [layout.size for layout in self._layouts]

    def join(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The vectors of the weights' values."""
        rest = iter(values)
        return [
            layout.flatten(list(itertools.islice(rest, len(layout)))) for layout in self._layouts
        ]

    def split(self, vectors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The weights' values."""
        pairs = zip(self._layouts, vectors, strict=True)
        return [value for layout, vector in pairs for value in layout.unflatten(vector)]
