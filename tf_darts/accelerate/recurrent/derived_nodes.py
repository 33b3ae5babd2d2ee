"""The derived recurrence's pointwise work, forward and back: what lies between matrix products.

Each function is one XLA cluster, compiled for the shapes it meets; these do not depend on the
number of time steps.

Shapes: B sequences, U units.
"""

from collections.abc import Sequence

import tensorflow as tf

from tf_darts.spaces.recurrent.activations import activation, value_and_slope

_cluster = tf.function(autograph=False, jit_compile=True)

# What a later node sends back to its predecessor: what skipped its product, and the product,
# [B, U] each.
Received = tuple[tf.Tensor, tf.Tensor]


def _sigmoid(x: tf.Tensor) -> tf.Tensor:
    # By tanh, which XLA makes vector code of.
    return 0.5 + 0.5 * tf.tanh(0.5 * x)


def _activation(operation: str, z: tf.Tensor) -> tf.Tensor:
    return _sigmoid(z) if operation == "sigmoid" else activation(operation)(z)


def _derivative(operation: str, z: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """f'(z), given also f(z)."""
    if operation == "tanh":
        return 1.0 - value * value
    if operation == "sigmoid":
        return value * (1.0 - value)
    if operation == "relu":
        return tf.cast(z > 0, z.dtype)
    return value_and_slope(activation(operation), z)[1]


@_cluster
def first_state(
    projected: tf.Tensor, product: tf.Tensor, previous: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Node 0: its [c, z] [B, 2U], its state [B, U] and that masked.

    Args:
      projected: [B, 2U], what the input adds to [c, z].
      product: [B, 2U], what the previous state adds.
      previous: [B, U].
      mask: [B, U].
    """
    activations = projected + product
    c, z = tf.split(activations, 2, axis=-1)
    state = previous + _sigmoid(c) * (tf.tanh(z) - previous)
    return activations, state, state * mask


@_cluster
def node_state(
    activations: tf.Tensor, state: tf.Tensor, mask: tf.Tensor, operation: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """A later node: s + σ(c) (f(z) - s) and that masked, [B, U] each.

    Args:
      activations: [B, 2U], [c, z].
      state: [B, U], s of its predecessor.
      mask: [B, U].
      operation: name of f.
    """
    c, z = tf.split(activations, 2, axis=-1)
    node = state + _sigmoid(c) * (_activation(operation, z) - state)
    return node, node * mask


@_cluster
def node_slopes(
    upstream: tf.Tensor | None,
    received: Sequence[Received],
    activations: tf.Tensor,
    state: tf.Tensor,
    mask: tf.Tensor,
    operation: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Back through a later node, whose state has the slope g.

    The slopes are of s: g (1 - σ);  of c: g (f - s) σ (1 - σ);  of z: g σ f'(z).

    Args:
      upstream: g's part from the cell's output [B, U], None where the node is no part of it.
      received: g's parts from the nodes that read this one.
      activations: [B, 2U].
      state: [B, U], of its predecessor.
      mask: [B, U].
      operation: name of f.

    Returns:
      The predecessor's slope but for that through the product [B, U], and the slopes of
      `activations` [B, 2U].
    """
    return _highway_slopes(_total(upstream, received, mask), activations, state, operation)


@_cluster
def first_slopes(
    received: Sequence[Received], activations: tf.Tensor, previous: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Back through node 0: as `node_slopes`, with the previous state as s."""
    return _highway_slopes(_total(None, received, mask), activations, previous, "tanh")


def _total(upstream: tf.Tensor | None, received: Sequence[Received], mask: tf.Tensor) -> tf.Tensor:
    total = tf.zeros_like(mask) if upstream is None else upstream
    for carried, product in received:
        total += carried + product * mask
    return total


def _highway_slopes(
    slope: tf.Tensor, activations: tf.Tensor, state: tf.Tensor, operation: str
) -> tuple[tf.Tensor, tf.Tensor]:
    c, z = tf.split(activations, 2, axis=-1)
    gate, value = _sigmoid(c), _activation(operation, z)
    gated = slope * gate
    c_slope = gated * (value - state) * (1.0 - gate)
    return slope - gated, tf.concat([c_slope, gated * _derivative(operation, z, value)], axis=-1)
