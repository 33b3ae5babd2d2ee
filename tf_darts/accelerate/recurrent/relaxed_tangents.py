"""The clusters of `relaxed_nodes` with tangents: how results move with arguments.

A dot is a tangent: ẏ = ∂y/∂x ẋ. They are written out, because every function here has its slope in
terms of its value, which automatic differentiation does not know: σ' = σ(1 - σ), tanh' = 1 - tanh²,
and the slope of a normalised state by its node is symmetric, so that tangents pass through
`normalized_slope` as slopes do. Shapes as in `relaxed_nodes`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tf_darts.accelerate.recurrent.relaxed_nodes import (
    add_folded,
    cluster,
    normalized_slope,
    sigmoid,
    sigmoid_and_tanh,
)
from tf_darts.spaces.recurrent.relaxed.recurrence import EPSILON


class _Gate(NamedTuple):
    """σ(c), its slope by c, and its tangent."""

    value: tf.Tensor
    slope: tf.Tensor
    tangent: tf.Tensor


def _gate(c: tf.Tensor, c_dot: tf.Tensor) -> _Gate:
    value = sigmoid(c)
    slope = value * (1.0 - value)
    return _Gate(value, slope, slope * c_dot)


def _through_gate(
    node: tf.Tensor, node_dot: tf.Tensor, added: tf.Tensor, added_dot: tf.Tensor, gate: _Gate
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Of y = σ(c) a, where g is the slope of y: those of c and a, each with its tangent."""
    c_slope = node * added * gate.slope
    c_slope_dot = (node_dot * added + node * added_dot) * gate.slope
    c_slope_dot += node * added * (1.0 - 2.0 * gate.value) * gate.tangent
    return (
        c_slope,
        c_slope_dot,
        node * gate.value,
        node_dot * gate.value + node * gate.tangent,
    )


class _Mixture(NamedTuple):
    """m = Σ_k p_k f_k(z) and D = ∂m/∂z, with tangents; P = Σ_k p_k without `none`, with its own."""

    value: tf.Tensor
    slope: tf.Tensor
    tangent: tf.Tensor
    slope_tangent: tf.Tensor
    total: tf.Tensor
    total_tangent: tf.Tensor


def _mixture(
    z: tf.Tensor, z_dot: tf.Tensor, mixing: Sequence[tf.Tensor], mixing_dot: Sequence[tf.Tensor]
) -> _Mixture:
    """Of the weights of `none`, tanh, relu, sigmoid and identity."""
    sigma, tanh = sigmoid_and_tanh(z)
    positive = tf.cast(z > 0, z.dtype)
    relu = positive * z
    tanh_slope, sigma_slope = 1.0 - tanh * tanh, sigma * (1.0 - sigma)

    def mixed(weights: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        _, p_tanh, p_relu, p_sigmoid, p_identity = weights
        value = p_tanh * tanh + p_relu * relu + p_sigmoid * sigma + p_identity * z
        slope = p_tanh * tanh_slope + p_relu * positive + p_sigmoid * sigma_slope + p_identity
        return value, slope

    value, slope = mixed(mixing)
    by_weights, slope_by_weights = mixed(mixing_dot)
    curvature = (1.0 - 2.0 * sigma) * sigma_slope * mixing[3] - 2.0 * tanh * tanh_slope * mixing[1]
    return _Mixture(
        value,
        slope,
        by_weights + slope * z_dot,
        slope_by_weights + curvature * z_dot,
        sum(mixing[1:]),
        sum(mixing_dot[1:]),
    )


def _variance_dot(node_dot: tf.Tensor, state: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
    """Of a node's variance over the batch: 2 mean((x - m) ẋ)."""
    return 2.0 * tf.sqrt(variance + EPSILON) * tf.reduce_mean(state * node_dot, axis=0)


@cluster
def first_node(
    activations: tf.Tensor,
    activations_dot: tf.Tensor,
    previous: tf.Tensor,
    previous_dot: tf.Tensor,
    state: tf.Tensor,
    variance: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Of node 0, h + σ(c) (tanh(z) - h): tangents of its state [B, U] and its variance [U]."""
    c, z = tf.split(activations, 2, axis=-1)
    c_dot, z_dot = tf.split(activations_dot, 2, axis=-1)
    gate, tanh = _gate(c, c_dot), tf.tanh(z)
    added_dot = (1.0 - tanh * tanh) * z_dot - previous_dot
    node_dot = previous_dot + gate.tangent * (tanh - previous) + gate.value * added_dot
    state_dot = normalized_slope(node_dot, state, variance)
    return state_dot, _variance_dot(node_dot, state, variance)


@cluster
def node(
    activations: tf.Tensor,
    activations_dot: tf.Tensor,
    states: tf.Tensor,
    states_dot: Sequence[tf.Tensor],
    variance: tf.Tensor,
    mixing: tf.Tensor,
    mixing_dot: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Of a searched node: tangents of its state [B, U] and its variance [U].

    `activations` are [J, B, 2U], `states` [J + 1, B, U], of the predecessors and of the node
    itself, `states_dot` J times [B, U], of the predecessors; `variance` is [U], `mixing` [J, 5].
    """
    node_dot = tf.zeros_like(states[0])
    for j, state_dot in enumerate(states_dot):
        c, z = tf.split(activations[j], 2, axis=-1)
        c_dot, z_dot = tf.split(activations_dot[j], 2, axis=-1)
        gate = _gate(c, c_dot)
        mixture = _mixture(z, z_dot, tf.unstack(mixing[j]), tf.unstack(mixing_dot[j]))
        carried = mixture.total * states[j]
        carried_dot = mixture.total_tangent * states[j] + mixture.total * state_dot
        node_dot += carried_dot + gate.tangent * (mixture.value - carried)
        node_dot += gate.value * (mixture.tangent - carried_dot)
    state = states[len(states_dot)]
    state_dot = normalized_slope(node_dot, state, variance)
    return state_dot, _variance_dot(node_dot, state, variance)


class Moving(NamedTuple):
    """A normalised state [B, U], the variance of its node [U], and their tangents."""

    state: tf.Tensor
    state_dot: tf.Tensor
    variance: tf.Tensor
    variance_dot: tf.Tensor


def _normalized_slope(
    slope: tf.Tensor, slope_dot: tf.Tensor, at: Moving
) -> tuple[tf.Tensor, tf.Tensor]:
    """(g - mean g - y mean gy) / √(v + ε) and its tangent."""
    value = normalized_slope(slope, at.state, at.variance)
    scale = tf.math.rsqrt(at.variance + EPSILON)
    along_tangent = at.state_dot * tf.reduce_mean(slope * at.state, axis=0)
    along_tangent += at.state * tf.reduce_mean(slope * at.state_dot, axis=0)
    tangent = normalized_slope(slope_dot, at.state, at.variance) - scale * along_tangent
    return value, tangent - 0.5 * scale * scale * at.variance_dot * value


@cluster
def node_slopes(
    upstream: tf.Tensor,
    upstream_dot: tf.Tensor,
    received: tuple[tf.Tensor, tf.Tensor] | None,
    product: tuple[tf.Tensor, tf.Tensor] | None,
    activations: tf.Tensor,
    activations_dot: tf.Tensor,
    states: tf.Tensor,
    states_dot: tf.Tensor,
    variance: tf.Tensor,
    variance_dot: tf.Tensor,
    mixing: tf.Tensor,
    mixing_dot: tf.Tensor,
    mask: tf.Tensor,
) -> tuple[tuple[tf.Tensor, tf.Tensor], ...]:
    """`relaxed_nodes.node_slopes`: its results, each with its tangent.

    `received` and `product` are such pairs too.
    """
    edges, units = activations.shape[0], mask.shape[-1]
    own, own_dot, slopes = upstream, upstream_dot, None
    if received is not None:
        slopes = [received[k] + product[k] * mask for k in range(2)]
        own, own_dot = own + slopes[0][edges], own_dot + slopes[1][edges]
    at = Moving(states[edges], states_dot[edges], variance, variance_dot)
    node, node_dot = _normalized_slope(own, own_dot, at)
    gate = _gate(activations[..., :units], activations_dot[..., :units])
    mixture = _mixture(
        activations[..., units:],
        activations_dot[..., units:],
        tf.unstack(mixing[:, :, None, None], axis=1),
        tf.unstack(mixing_dot[:, :, None, None], axis=1),
    )
    total, total_dot = mixture.total, mixture.total_tangent
    added = mixture.value - total * states[:edges]
    added_dot = mixture.tangent - total * states_dot[:edges] - total_dot * states[:edges]
    c_slope, c_slope_dot, gated, gated_dot = _through_gate(node, node_dot, added, added_dot, gate)
    z_slope = gated * mixture.slope
    z_slope_dot = gated_dot * mixture.slope + gated * mixture.slope_tangent
    carried = total * (node - gated)
    carried_dot = total_dot * (node - gated) + total * (node_dot - gated_dot)
    if slopes is not None:
        carried, carried_dot = carried + slopes[0][:edges], carried_dot + slopes[1][:edges]
    values = tf.concat([c_slope, z_slope], axis=-1)
    tangents = tf.concat([c_slope_dot, z_slope_dot], axis=-1)
    return (carried, carried_dot), (values, tangents), (node, node_dot)


@cluster
def first_node_slopes(
    received: tuple[tf.Tensor, tf.Tensor],
    product: tuple[tf.Tensor, tf.Tensor],
    activations: tf.Tensor,
    activations_dot: tf.Tensor,
    at: Moving,
    previous: tf.Tensor,
    previous_dot: tf.Tensor,
    mask: tf.Tensor,
) -> tuple[tuple[tf.Tensor, tf.Tensor], ...]:
    """`relaxed_nodes.first_node_slopes`: its results, each with its tangent."""
    own, own_dot = (received[k][0] + product[k][0] * mask for k in range(2))
    node, node_dot = _normalized_slope(own, own_dot, at)
    c, z = tf.split(activations, 2, axis=-1)
    c_dot, z_dot = tf.split(activations_dot, 2, axis=-1)
    gate, tanh = _gate(c, c_dot), tf.tanh(z)
    tanh_slope = 1.0 - tanh * tanh
    added, added_dot = tanh - previous, tanh_slope * z_dot - previous_dot
    c_slope, c_slope_dot, gated, gated_dot = _through_gate(node, node_dot, added, added_dot, gate)
    z_slope_dot = gated_dot * tanh_slope - gated * (2.0 * tanh * tanh_slope * z_dot)
    values = tf.concat([c_slope, gated * tanh_slope], axis=-1)
    tangents = tf.concat([c_slope_dot, z_slope_dot], axis=-1)
    return (node - gated, node_dot - gated_dot), (values, tangents)


@cluster
def mixing_slopes(
    activations: tf.Tensor,
    activations_dot: tf.Tensor,
    states: tf.Tensor,
    states_dot: tf.Tensor,
    nodes: tf.Tensor,
    totals: Sequence[tf.Tensor],
    fold: int,
) -> tuple[tf.Tensor, ...]:
    """Adds the tangents of what `relaxed_nodes.mixing_slopes` sums to `totals`.

    `nodes` [2, B, U] is the slope of the node and its tangent.
    """
    units, (node, node_dot) = states.shape[-1], tf.unstack(nodes)
    z, z_dot = activations[..., units:], activations_dot[..., units:]
    gate = _gate(activations[..., :units], activations_dot[..., :units])
    sigma, tanh = sigmoid_and_tanh(z)
    positive = tf.cast(z > 0, z.dtype)
    gated = node * gate.value
    gated_dot = node_dot * gate.value + node * gate.tangent
    gated_z_dot = gated * z_dot
    return add_folded(
        totals,
        (
            gated_dot * tanh + gated_z_dot * (1.0 - tanh * tanh),
            (gated_dot * z + gated_z_dot) * positive,
            gated_dot * sigma + gated_z_dot * (sigma * (1.0 - sigma)),
            gated_dot * z + gated_z_dot,
            (node_dot - gated_dot) * states + (node - gated) * states_dot,
        ),
        fold,
    )
