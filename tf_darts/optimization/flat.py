"""Many variables' values as one vector: one operation moves them all."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_darts.runtime.long_lists import GROUP, Parts, concat, split


class FlatLayout:
    """Where each of some variables stands in a vector of all their values.

    Args:
      variables: of one type, of known shapes.
      by_shape: whether those of one shape stand together, and not all in the order given: a
        supernet has a thousand weights of a few shapes, which are then cut and joined together.
    """

    def __init__(self, variables: Sequence[keras.Variable], *, by_shape: bool = False) -> None:
        shapes = [tuple(variable.shape) for variable in variables]
        self._count = len(shapes)
        # Neighbours of one shape, by their numbers.
        self._runs = _of_one_shape(shapes) if by_shape else [[i] for i in range(len(shapes))]
        self._shapes = [shapes[run[0]] for run in self._runs]
        self._sizes = [
            len(run) * math.prod(shape) for run, shape in zip(self._runs, self._shapes, strict=True)
        ]
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
        runs = [[values[i] for i in run] for run in self._runs]
        joined = [run[0] if len(run) == 1 else tf.raw_ops.Pack(values=run) for run in runs]
        if len(joined) == 1:
            return tf.reshape(joined[0], [-1])
        line = tf.constant([-1])  # one for all: a graph of thousands of constants is slow to make
        return concat([v if v.shape.rank == 1 else tf.reshape(v, line) for v in joined])

    def unflatten(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """The values, in the variables' shapes.

        TensorFlow's gradient of this is one operation for each run of neighbours of one shape that
        are no vectors, and one for each group of runs.
        """
        if not self._sizes:
            return []
        lined = split(vector, self._sizes)
        # Of a single vector there is nothing to reshape; else one constant for all of a shape.
        whole = [
            shape if len(run) == 1 else (len(run), *shape)
            for run, shape in zip(self._runs, self._shapes, strict=True)
        ]
        constants = {shape: tf.constant(shape, tf.int32) for shape in whole if len(shape) != 1}
        values: dict[int, tf.Tensor] = {}
        for run, part, shape in zip(self._runs, lined, whole, strict=True):
            part = part if len(shape) == 1 else tf.reshape(part, constants[shape])
            values |= zip(run, [part] if len(run) == 1 else tf.unstack(part), strict=True)
        return [values[i] for i in range(self._count)]


def _of_one_shape(shapes: Sequence[tuple[int, ...]]) -> list[list[int]]:
    """The numbers of each shape's variables, `GROUP` at most together."""
    numbers: dict[tuple[int, ...], list[int]] = {}
    for i, shape in enumerate(shapes):
        numbers.setdefault(shape, []).append(i)
    return [
        alike[start : start + GROUP]
        for alike in numbers.values()
        for start in range(0, len(alike), GROUP)
    ]
