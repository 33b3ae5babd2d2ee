"""Many variables' values as one vector: one operation moves them all."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from tf_darts.runtime.long_lists import GROUP, Parts, concat, split

Shape = tuple[int, ...]


class Repeated(NamedTuple):
    """Neighbours whose shapes are the same few, several times over: the edges of a supernet.

    Attributes:
      shapes: of the first few, p of them.
      times: k.
    """

    shapes: tuple[Shape, ...]
    times: int

    @property
    def sizes(self) -> list[int]:
        """How many numbers each of the first few has."""
        return [math.prod(shape) for shape in self.shapes]

    def joined(self, values: Sequence[tf.Tensor]) -> tf.Tensor:
        """The vector of all k·p values, one after another."""
        if self.times == len(self.shapes) == 1:
            return values[0] if len(self.shapes[0]) == 1 else tf.reshape(values[0], [-1])
        period = len(self.shapes)
        alike = [tf.raw_ops.Pack(values=values[i::period]) for i in range(period)]
        lines = [
            tf.reshape(part, [self.times, size])
            for part, size in zip(alike, self.sizes, strict=True)
        ]
        return tf.reshape(lines[0] if period == 1 else tf.concat(lines, axis=1), [-1])

    def cut(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """The inverse of `joined`."""
        if self.times == len(self.shapes) == 1:
            return [vector if len(self.shapes[0]) == 1 else tf.reshape(vector, self.shapes[0])]
        columns = [vector]
        if len(self.shapes) > 1:
            columns = tf.split(tf.reshape(vector, [self.times, -1]), self.sizes, axis=1)
        alike = [
            tf.unstack(tf.reshape(column, [self.times, *shape]))
            for column, shape in zip(columns, self.shapes, strict=True)
        ]
        return [value for one_time in zip(*alike, strict=True) for value in one_time]


class FlatLayout:
    """Where each of some variables stands in a vector of all their values.

    Args:
      variables: of one type, of known shapes.
    """

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        shapes = [tuple(variable.shape) for variable in variables]
        self._count = len(shapes)
        self._parts = repetitions(shapes)
        self._sizes = [part.times * sum(part.sizes) for part in self._parts]
        self.size = sum(self._sizes)

    def __len__(self) -> int:
        """How many variables there are."""
        return self._count

    def flatten(self, values: Sequence[tf.Tensor]) -> tf.Tensor:
        """The vector [size] of the variables' values."""
        if isinstance(values, Parts) and values.vector is not None:
            return values.vector
        if not values:
            return tf.zeros([0], keras.config.floatx())
        rest, joined = list(values), []
        for part in self._parts:
            count = part.times * len(part.shapes)
            joined.append(part.joined(rest[:count]))
            rest = rest[count:]
        return concat(joined)

    def unflatten(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """The values, in the variables' shapes."""
        if not self._sizes:
            return []
        pieces = zip(self._parts, split(vector, self._sizes), strict=True)
        return [value for part, piece in pieces for value in part.cut(piece)]


def repetitions(shapes: Sequence[Shape]) -> list[Repeated]:
    """Shapes as repetitions, each the longest that begins where the one before ends.

    A thousand values are cut and joined by few operations so. Single values and vectors stay
    alone, which need none of them; and no operation has more than `GROUP` results.
    """
    numbers = {shape: i for i, shape in enumerate(dict.fromkeys(shapes))}
    codes, parts, start = [numbers[shape] for shape in shapes], [], 0
    while start < len(codes):
        period, times = _longest(codes, start) if len(shapes[start]) != 1 else (1, 1)
        parts.append(Repeated(tuple(shapes[start : start + period]), times))
        start += period * times
    return parts


def _longest(codes: Sequence[int], start: int) -> tuple[int, int]:
    """The period, and how often it comes, of the longest repetition; of equals the shortest."""
    best = (1, 1)
    for period in range(1, min(GROUP, (len(codes) - start) // 2) + 1):
        first, times = codes[start : start + period], 1
        while (
            times < GROUP and codes[start + times * period : start + (times + 1) * period] == first
        ):
            times += 1
        if times > 1 and period * times > best[0] * best[1]:
            best = period, times
    return best
