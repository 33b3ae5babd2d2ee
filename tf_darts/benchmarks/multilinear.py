"""The multilinear extension of a table: an objective of mixing weights whose optimum is known.

With m [edges, operations] and a table T with an axis for each edge,

    f(m)        = Σ_{o₁…o_E} T[o₁, …, o_E] m[1, o₁] ⋯ m[E, o_E]
    ∂f/∂m[e, ·] = the same contraction with every edge's row but e's.

At one-hot rows it is the table's score of that cell; at rows that are probabilities the expected
score of a cell whose edges are drawn independently by them. An architecture search without weights
ascends it in milliseconds, and tests relaxations, α terms and estimators against the best cell of
the table.
"""

from __future__ import annotations

import functools

import numpy as np
from etils import epy

with epy.lazy_imports():  # a table needs no tensors
    import tensorflow as tf


class MultilinearExtension:
    """f and its exact derivatives.

    Args:
      table: float64 [operations, …, operations], an axis for each edge.
    """

    def __init__(self, table: np.ndarray) -> None:
        self.table = np.asarray(table, np.float64)

    def value(self, mixing: np.ndarray) -> float:
        """f(mixing); `mixing` is [edges, operations]."""
        return float(self.gradient(mixing)[0] @ np.asarray(mixing, np.float64)[0])

    def gradient(self, mixing: np.ndarray) -> np.ndarray:
        """∂f/∂mixing, [edges, operations]: row e is f of every operation put on edge e alone."""
        rows, edges = np.asarray(mixing, np.float64), range(self.table.ndim)
        gradients = []
        for edge in edges:
            contracted = self.table
            for axis in reversed(edges):  # from the last, so that the axes before keep their places
                if axis != edge:
                    contracted = np.tensordot(contracted, rows[axis], (axis, 0))
            gradients.append(contracted)
        return np.array(gradients)

    def __call__(self, mixing: tf.Tensor) -> tf.Tensor:
        """f(mixing) as a scalar tensor of mixing's type, with derivatives of every order."""
        value = self._constant(mixing.dtype)
        for row in range(self.table.ndim):
            # The first axis goes: [o₁, o₂, …] by m[1] is [o₂, …].
            value = tf.linalg.matvec(tf.reshape(value, [mixing.shape[1], -1]), mixing[row], True)
        return value[0]

    @functools.lru_cache(maxsize=4)  # noqa: B019, of a few types
    def _constant(self, dtype: tf.DType) -> np.ndarray:
        return self.table.astype(dtype.as_numpy_dtype).ravel()
