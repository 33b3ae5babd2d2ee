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


def _push_forward(function: Callable[..., Any], arguments: Sequence[Dual], *constants: Any) -> Dual:
    """`function(*arguments, *constants)` of `Dual`s, with its tangents."""
    values, tangents = zip(*arguments, strict=True)
    values = tuple(tf.identity(value) for value in values)  # one tensor may be two arguments
    with tf.autodiff.ForwardAccumulator(values, tangents) as forward:
        outputs = function(*values, *constants)
    return Dual(outputs, forward.jvp(outputs, tf.UnconnectedGradients.ZERO))


def _push_forward_each(
    function: Callable[..., Any], arguments: Sequence[Dual], *constants: Any
) -> tuple[Dual, ...]:
    """As `_push_forward`, of a function with several results: a `Dual` of each."""
    values, tangents = _push_forward(function, arguments, *constants)
    return tuple(Dual(*pair) for pair in zip(values, tangents, strict=True))


def unstacked(dual: Dual, count: int) -> list[Dual]:
    """A `Dual` for each of the `count` parts along the first axis."""
    return [Dual(*pair) for pair in zip(*(tf.unstack(x, count) for x in dual), strict=True)]


@cluster
def first_node(activations: Dual, previous: Dual) -> tuple[tf.Tensor, tf.Tensor]:
    """Of node 0: tangents of its state [B, U] and its variance [U]."""
    nothing, mask = tf.zeros_like(activations.value), tf.ones_like(previous.value)

    def function(activations: tf.Tensor, previous: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return relaxed_nodes.first_node.python_function(activations, nothing, previous, mask)

    _, state, _, _, variance = _push_forward(function, (activations, previous)).tangent
    return state, variance


@cluster
def edge(activations: Dual, state: Dual, mixing: Dual) -> Dual:
    """`relaxed_nodes.edge`, with its tangent."""
    return _push_forward(relaxed_nodes.edge.python_function, (activations, state, mixing))


@cluster
def normalized(node: Dual) -> tuple[tf.Tensor, tf.Tensor]:
    """Of a searched node's normalisation: tangents of its state [B, U] and its variance [U]."""
    function = relaxed_nodes.normalized.python_function
    state, _, _, variance = _push_forward(function, (node,), tf.ones_like(node.value)).tangent
    return state, variance


def node(activations: Dual, states: Sequence[Dual], mixing: Dual) -> tuple[tf.Tensor, tf.Tensor]:
    """Of a searched node: tangents of its state [B, U] and its variance [U].

    `states` are J times [B, U], of the predecessors.
    """
    count = len(states)
    edges = zip(unstacked(activations, count), states, unstacked(mixing, count), strict=True)
    values, tangents = zip(*(edge(*of_edge) for of_edge in edges), strict=True)
    return normalized(Dual(tf.add_n(values), tf.add_n(tangents)))


@cluster
def node_slope(
    upstream: Dual, received: Dual, product: Dual, state: Dual, variance: Dual, mask: tf.Tensor
) -> Dual:
    """`relaxed_nodes.node_slope`, with its tangent."""
    arguments = (upstream, received, product, state, variance)
    return _push_forward(relaxed_nodes.node_slope.python_function, arguments, mask)


@cluster
def edge_slopes(
    node: Dual,
    received: Dual,
    product: Dual,
    activations: Dual,
    state: Dual,
    mixing: Dual,
    mask: tf.Tensor,
) -> tuple[Dual, ...]:
    """`relaxed_nodes.edge_slopes`: its results, each with its tangent."""
    arguments = (node, received, product, activations, state, mixing)
    return _push_forward_each(relaxed_nodes.edge_slopes.python_function, arguments, mask)


def node_slopes(
    upstream: Dual,
    received: Sequence[Dual],
    products: Sequence[Dual],
    activations: Dual,
    states: Sequence[Dual],
    variance: Dual,
    mixing: Dual,
    mask: tf.Tensor,
) -> tuple[Sequence[Dual], tf.Tensor, tf.Tensor]:
    """`relaxed_nodes.node_slopes`; what it returns of the activations and the node is
    [value, tangent], [2, J, B, 2U] and [2, B, U].
    """
    own = (received[-1], products[-1], states[-1], variance, mask)
    node = node_slope(upstream, *own)
    edges = zip(
        received[:-1],
        products[:-1],
        unstacked(activations, len(states) - 1),
        states[:-1],
        unstacked(mixing, len(states) - 1),
        strict=True,
    )
    carried, slopes = zip(*(edge_slopes(node, *of_edge, mask) for of_edge in edges), strict=True)
    return carried, tf.stack([tf.stack(x) for x in zip(*slopes, strict=True)]), tf.stack(node)


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
    return _push_forward_each(relaxed_nodes.first_node_slopes.python_function, arguments, mask)


@cluster
def mixing_slopes(
    activations: Dual, state: Dual, node: Dual, totals: Sequence[tf.Tensor], fold: int
) -> tuple[tf.Tensor, ...]:
    """Adds the tangents of what `relaxed_nodes.mixing_slopes` sums to `totals`."""
    nothing = [tf.zeros_like(total) for total in totals]
    function = relaxed_nodes.mixing_slopes.python_function
    terms = _push_forward(function, (activations, state, node), nothing, fold).tangent
    return tuple(total + term for total, term in zip(totals, terms, strict=True))
