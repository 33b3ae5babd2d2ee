"""Edges with something around their mixtures, for `relaxed_cell.py`: all that leave a node at once.

The factor of an edge's output multiplies its mixing weights, which costs nothing. A node of partial
edges is shuffled once: the shuffle is the same for all edges into it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime.precision import like
from tf_darts.spaces.convolutional.relaxed.auxiliary_skip import AuxiliarySkip
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation
from tf_darts.spaces.convolutional.relaxed.partial_edge import PartialEdge, shuffle
from tf_darts.spaces.edge_wrappers import FactoredEdge

# The mixed operations of a node's edges: of a value, each edge's operations and mixing weights.
Mixtures = Callable[[tf.Tensor, Sequence[Sequence[Any]], tf.Tensor], list[tf.Tensor]]
# What an edge brings to its target: tensors whose channels stand side by side there.
Brought = tuple[tf.Tensor, ...]


def has_form(edge: keras.layers.Layer) -> bool:
    """Whether `brought` knows what edges like this one bring."""
    if isinstance(edge, FactoredEdge):
        edge = edge.inner
    if isinstance(edge, PartialEdge | AuxiliarySkip):
        edge = edge.inner
    return isinstance(edge, MixedOperation)


def brought(
    edges: Sequence[keras.layers.Layer], source: tf.Tensor, rows: tf.Tensor, mixtures: Mixtures
) -> list[Brought]:
    """What the edges that leave a node bring to their targets.

    Args:
      edges: n layers, all of the same make.
      source: the node, [B, H, W, C].
      rows: of the edges, [n, columns].
      mixtures: computes mixed operations.
    """
    operations = [list(edge.operations.values()) for edge in edges]
    if not isinstance(edges[0], FactoredEdge):
        return [(term,) for term in mixtures(source, operations, rows)]
    factors, weights = rows[:, -1], rows[:, :-1] * rows[:, -1:]
    inside = [edge.inner for edge in edges]
    if isinstance(inside[0], PartialEdge):
        seen, rest = inside[0].divided(source)
        terms = mixtures(seen, operations, weights)
        passing = [like(factor, rest) * rest for factor in tf.unstack(factors)]
        return list(zip(terms, passing, strict=True))
    if isinstance(inside[0], AuxiliarySkip):
        terms = mixtures(source, operations, weights[:, :-1])
        skips = mixtures(source, [[edge.skip] for edge in inside], weights[:, -1:])
        return [(term + skip,) for term, skip in zip(terms, skips, strict=True)]
    return [(term,) for term in mixtures(source, operations, weights)]


def joined(edge: keras.layers.Layer, arriving: Sequence[Brought]) -> tf.Tensor:
    """A node, of what its edges bring; `edge` is one of them."""
    parts = [tf.add_n(terms) for terms in zip(*arriving, strict=True)]
    if len(parts) == 1:
        return parts[0]
    return shuffle(tf.concat(parts, axis=-1), edge.inner.parts)
