"""One node of the fast recurrence, forward and back: what lies between two matrix products.

The pointwise work of an edge, and that of a node's normalisation, is one XLA cluster each, which
takes one pass over memory. A cluster is compiled for the shapes it meets. These depend neither on
the number of time steps nor on the node, so all edges share one.

Shapes: B sequences, U units, J predecessors of the node; where activations were added, the 5
columns of mixing weights are more. Ours share their tanh; a tape differentiates what was added.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from tf_darts.spaces.recurrent.activations import (
    OWN,
    Activation,
    activation_functions,
    value_and_slope,
)
from tf_darts.spaces.recurrent.relaxed.recurrence import EPSILON

cluster = tf.function(autograph=False, jit_compile=True)


def sigmoid_and_tanh(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """σ(x) and tanh(x), both from t = tanh(x/2): σ(x) = (1 + t) / 2, tanh(x) = 2t / (1 + t²)."""
    t = tf.tanh(0.5 * x)
    return 0.5 + 0.5 * t, 2.0 * t / (1.0 + t * t)


def sigmoid(x: tf.Tensor) -> tf.Tensor:
    """σ(x) from a tanh, of which XLA makes vector code."""
    return 0.5 + 0.5 * tf.tanh(0.5 * x)


def _normalized(x: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Batch-normalised x [B, U], the same masked, and mean and variance [U]."""
    mean = tf.reduce_mean(x, axis=0)
    centered = x - mean
    variance = tf.reduce_mean(centered * centered, axis=0)
    state = centered * tf.math.rsqrt(variance + EPSILON)
    return state, state * mask, mean, variance


def normalized_slope(slope: tf.Tensor, state: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
    """∂/∂x of y = (x - m) / √(v + ε), m and v being x's moments: (g - mean g - y mean gy) / √."""
    centered = slope - tf.reduce_mean(slope, axis=0)
    along = state * tf.reduce_mean(slope * state, axis=0)
    return (centered - along) * tf.math.rsqrt(variance + EPSILON)


def _added(count: int) -> list[Activation]:
    """The first activations that were added; their number tells a cluster's trace from others."""
    return activation_functions(1 + OWN + count)[OWN:]


@cluster
def first_node(
    projected: tf.Tensor, product: tf.Tensor, previous: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Node 0: pre-activations [B, 2U], then as `_normalized`, of h + σ(c) (tanh(z) - h)."""
    activations = projected + product
    c, z = tf.split(activations, 2, axis=-1)
    node = previous + sigmoid(c) * (tf.tanh(z) - previous)
    return activations, *_normalized(node, mask)


@cluster
def edge(activations: tf.Tensor, state: tf.Tensor, mixing: tf.Tensor) -> tf.Tensor:
    """What one edge adds to its node [B, U]: P s + σ(c) (Σ_k p_k f_k(z) - P s).

    Args:
      activations: [B, 2U], [c, z] of the predecessor.
      state: [B, U], s, the predecessor's.
      mixing: [5], p; P is their sum without that of `none`.
    """
    _, p_tanh, p_relu, p_sigmoid, p_identity, *p_added = tf.unstack(mixing)
    c, z = tf.split(activations, 2, axis=-1)
    sigma, tanh = sigmoid_and_tanh(z)
    mixed = p_tanh * tanh + p_relu * tf.nn.relu(z) + p_sigmoid * sigma + p_identity * z
    total = p_tanh + p_relu + p_sigmoid + p_identity
    for p, function in zip(p_added, _added(len(p_added)), strict=True):
        mixed, total = mixed + p * function(z), total + p
    carried = total * state
    return carried + sigmoid(c) * (mixed - carried)


normalized = cluster(_normalized)


def node(
    activations: tf.Tensor, states: Sequence[tf.Tensor], mixing: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """A searched node, the sum of its edges, as `_normalized`.

    Args:
      activations: [J, B, 2U], [c, z] of each predecessor.
      states: J times [B, U].
      mixing: [J, 5].
      mask: [B, U].
    """
    activations = tf.unstack(activations, len(states))
    edges = zip(activations, states, tf.unstack(mixing), strict=True)
    return normalized(tf.add_n([edge(*of_edge) for of_edge in edges]), mask)


@cluster
def node_slope(
    upstream: tf.Tensor,
    received: tf.Tensor,
    product: tf.Tensor,
    state: tf.Tensor,
    variance: tf.Tensor,
    mask: tf.Tensor,
) -> tf.Tensor:
    """Back through a searched node's normalisation: its slope before that, [B, U].

    Args:
      upstream: [B, U], the slope that the cell's output sends to this node's state.
      received: [B, U], slopes from the later nodes but for the product of the next one.
      product: [B, U], slope of the masked state through that product.
      state: [B, U], the node's.
      variance: [U], the node's.
      mask: [B, U].
    """
    return normalized_slope(upstream + received + product * mask, state, variance)


@cluster
def edge_slopes(
    node: tf.Tensor,
    received: tf.Tensor,
    product: tf.Tensor,
    activations: tf.Tensor,
    state: tf.Tensor,
    mixing: tf.Tensor,
    mask: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Back through one edge of a node whose slope before its normalisation is g.

    The edge adds y = P s + σ(c) (m - P s) to it, where m = Σ_k p_k f_k(z): the slopes are
    of s: g P (1 - σ);  of c: g (m - P s) σ (1 - σ);  of z: g σ Σ_k p_k f_k'(z).

    Args:
      node: [B, U], g.
      received: [B, U], the slope of s from the later nodes but for the product of the next one.
      product: [B, U], slope of the masked s through that product.
      activations: [B, 2U], [c, z].
      state: [B, U], s.
      mixing: [5].
      mask: [B, U].

    Returns:
      `received` with this node's part [B, U], and the slopes of the activations [B, 2U].
    """
    _, p_tanh, p_relu, p_sigmoid, p_identity, *p_added = tf.unstack(mixing)
    total = p_tanh + p_relu + p_sigmoid + p_identity
    c, z = tf.split(activations, 2, axis=-1)
    gate = sigmoid(c)
    sigma, tanh = sigmoid_and_tanh(z)
    positive = tf.cast(z > 0, z.dtype)
    mixed = p_tanh * tanh + p_relu * (positive * z) + p_sigmoid * sigma + p_identity * z
    derivative = (
        p_tanh * (1.0 - tanh * tanh)
        + p_relu * positive
        + p_sigmoid * (sigma * (1.0 - sigma))
        + p_identity
    )
    for p, function in zip(p_added, _added(len(p_added)), strict=True):
        value, slope = value_and_slope(function, z)
        mixed, derivative, total = mixed + p * value, derivative + p * slope, total + p
    c_slope = node * (mixed - total * state) * (gate * (1.0 - gate))
    z_slope = node * gate * derivative
    carried = received + product * mask + node * (total * (1.0 - gate))
    return carried, tf.concat([c_slope, z_slope], axis=-1)


def node_slopes(
    upstream: tf.Tensor,
    received: Sequence[tf.Tensor],
    products: Sequence[tf.Tensor],
    activations: tf.Tensor,
    states: Sequence[tf.Tensor],
    variance: tf.Tensor,
    mixing: tf.Tensor,
    mask: tf.Tensor,
) -> tuple[Sequence[tf.Tensor], tf.Tensor, tf.Tensor]:
    """Back through searched node J: by `node_slope`, and by `edge_slopes` of each edge.

    Args:
      upstream: [B, U].
      received: J + 1 times [B, U], of the predecessors and of the node itself.
      products: as `received`.
      activations: [J, B, 2U].
      states: as `received`.
      variance: [U].
      mixing: [J, 5].
      mask: [B, U].

    Returns:
      `received` for node J - 1, and the slopes of the activations [J, B, 2U] and of the node
      before its normalisation [B, U].
    """
    own = (received[-1], products[-1], states[-1], variance, mask)
    node = node_slope(upstream, *own)
    edges = zip(
        received[:-1],
        products[:-1],
        tf.unstack(activations, len(states) - 1),
        states[:-1],
        tf.unstack(mixing),
        strict=True,
    )
    carried, slopes = zip(*(edge_slopes(node, *of_edge, mask) for of_edge in edges), strict=True)
    return carried, tf.stack(slopes), node


@cluster
def first_node_slopes(
    received: tf.Tensor,
    product: tf.Tensor,
    activations: tf.Tensor,
    state: tf.Tensor,
    previous: tf.Tensor,
    variance: tf.Tensor,
    mask: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Back through node 0: the slopes of the previous state [B, U] and the activations [B, 2U]."""
    node = normalized_slope(received + product * mask, state, variance)
    c, z = tf.split(activations, 2, axis=-1)
    gate, tanh = sigmoid(c), tf.tanh(z)
    c_slope = node * (tanh - previous) * (gate * (1.0 - gate))
    z_slope = node * gate * (1.0 - tanh * tanh)
    return node * (1.0 - gate), tf.concat([c_slope, z_slope], axis=-1)


@cluster
def mixing_slopes(
    activations: tf.Tensor,
    state: tf.Tensor,
    node: tf.Tensor,
    totals: Sequence[tf.Tensor],
    fold: int,
) -> tuple[tf.Tensor, ...]:
    """Adds to `totals` what the gradient of an edge's mixing weights sums: its activations', s.

    That of p_k is Σ_bu g (s (1 - σ(c)) + σ(c) f_k(z)); g is the slope of the node. XLA
    makes vector code of a sum only where it is written out, so the batch is folded here, and what
    is left of it summed after the last time step.

    Args:
      activations: [B, 2U], [c, z].
      state: [B, U], s.
      node: [B, U], g.
      totals: f_1 to f_4, what was added, and s, each [B / fold, U].
      fold: see `fold_of`; of the batch as the caller knows it, because the trace that was made for
        an unknown one takes every batch.
    """
    c, z = tf.split(activations, 2, axis=-1)
    gate = sigmoid(c)
    sigma, tanh = sigmoid_and_tanh(z)
    gated = node * gate
    carried = (node - gated) * state
    added = [gated * function(z) for function in _added(len(totals) - 1 - OWN)]
    terms = (gated * tanh, gated * tf.nn.relu(z), gated * sigma, gated * z, *added, carried)
    return add_folded(totals, terms, fold)


def add_folded(
    totals: Sequence[tf.Tensor], terms: Sequence[tf.Tensor], fold: int
) -> tuple[tf.Tensor, ...]:
    """Adds terms [B, U] to totals [B / fold, U]."""
    return tuple(
        total + sum(tf.split(term, fold, axis=0)) if fold > 1 else total + term
        for total, term in zip(totals, terms, strict=True)
    )


def fold_of(batch: int | None) -> int:
    """Into how many pieces `mixing_slopes` cuts the batch to add them up."""
    return math.gcd(batch, 8) if batch else 1
