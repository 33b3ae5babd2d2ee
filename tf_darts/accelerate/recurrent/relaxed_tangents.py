"""The clusters of `relaxed_nodes` with tangents: how results move with arguments.

A dot is a tangent: ẏ = ∂y/∂x ẋ, by `tf.autodiff.ForwardAccumulator` in the same XLA cluster.
Written by hand they were not faster (docs/performance_history.md). Shapes as in `relaxed_nodes`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.accelerate.recurrent import relaxed_nodes
from tf_darts.accelerate.recurrent.relaxed_nodes import cluster


class Dual(NamedTuple):
    """A value and its tangent, or structures of both."""

    value: Any
    tangent: Any


def _push_forward(function: Callable[..., Any], arguments: Sequence[Any], *constants: Any) -> Dual:
    """`function(*arguments, *constants)` of `Dual`s, with its tangents; None is no argument."""
    values, tangents = zip(*(argument or (None, None) for argument in arguments), strict=True)
    moving = [value for value in tf.nest.flatten(values) if value is not None]
    directions = [tangent for tangent in tf.nest.flatten(tangents) if tangent is not None]
    with tf.autodiff.ForwardAccumulator(moving, directions) as forward:
        outputs = function(*values, *constants)
    return Dual(outputs, forward.jvp(outputs, tf.UnconnectedGradients.ZERO))


@cluster
def first_node(activations: Dual, previous: Dual) -> tuple[tf.Tensor, tf.Tensor]:
    """Of node 0: tangents of its state [B, U] and its variance [U]."""
    nothing, mask = tf.zeros_like(activations.value), tf.ones_like(previous.value)

    def function(activations: tf.Tensor, previous: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return relaxed_nodes.first_node.python_function(activations, nothing, previous, mask)

    _, state, _, _, variance = _push_forward(function, (activations, previous)).tangent
    return state, variance


@cluster
def node(activations: Dual, states: Dual, mixing: Dual) -> tuple[tf.Tensor, tf.Tensor]:
    """Of a searched node: tangents of its state [B, U] and its variance [U].

    `states` are J times [B, U], of the predecessors.
    """
    mask = tf.ones_like(states.value[0])
    arguments = (activations, states, mixing)
    function = relaxed_nodes.node.python_function
    state, _, _, variance = _push_forward(function, arguments, mask).tangent
    return state, variance


@cluster
def node_slopes(
    upstream: Dual,
    received: Dual | None,
    product: Dual | None,
    activations: Dual,
    states: Dual,
    variance: Dual,
    mixing: Dual,
    mask: tf.Tensor,
) -> tuple[Dual, ...]:
    """`relaxed_nodes.node_slopes`: its results, each with its tangent."""
    arguments = (upstream, received, product, activations, states, variance, mixing)
    function = relaxed_nodes.node_slopes.python_function
    return tuple(
        Dual(*pair) for pair in zip(*_push_forward(function, arguments, mask), strict=True)
    )


@cluster
def first_node_slopes(
    received: Dual,
    product: Dual,
    activations: Dual,
    state: Dual,
    previous: Dual,
    variance: Dual,
    mask: tf.Tensor,
) -> tuple[Dual, ...]:
    """`relaxed_nodes.first_node_slopes`: its results, each with its tangent."""
    arguments = (received, product, activations, state, previous, variance)
    function = relaxed_nodes.first_node_slopes.python_function
    return tuple(
        Dual(*pair) for pair in zip(*_push_forward(function, arguments, mask), strict=True)
    )


@cluster
def mixing_slopes(
    activations: Dual, states: Dual, node: Dual, totals: Sequence[tf.Tensor], fold: int
) -> tuple[tf.Tensor, ...]:
    """Adds the tangents of what `relaxed_nodes.mixing_slopes` sums to `totals`."""
    nothing = [tf.zeros_like(total) for total in totals]
    function = relaxed_nodes.mixing_slopes.python_function
    terms = _push_forward(function, (activations, states, node), nothing, fold).tangent
    return tuple(total + term for total, term in zip(totals, terms, strict=True))
