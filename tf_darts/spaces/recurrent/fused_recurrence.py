"""The relaxed recurrent cell over a sequence, made fast: `relaxed_recurrence` in training mode.

Same numbers, other order of work. What is done differently:

- The part of the first product that reads the inputs is one product for all time steps.
- One pass per node in place of one per operation, by
  Σ_k p_k (s + c (f_k - s)) = P s + c (Σ_k p_k f_k - P s),  P = Σ_k p_k without `none`.
- What lies between two matrix products is one XLA cluster (`fused_recurrence_nodes`).
- The gradient is written by hand. Going back in time it computes what the chain needs, the slopes
  (∂loss/∂) of states and activations. Kernels and mixing weights have loops of their own, which
  sum over time: a graph drops these where it does not ask for them.

Shapes: T time steps, B sequences, U units, N searched nodes, E edges, J predecessors of a node.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.spaces.recurrent import fused_recurrence_nodes as clusters
from tf_darts.spaces.recurrent.recurrence import Recurrence, relaxed_recurrence
from tf_darts.spaces.recurrent.time_arrays import arrays as new_arrays
from tf_darts.spaces.recurrent.time_arrays import flat, write


class _Arguments(NamedTuple):
    """What has a gradient; see `fused_relaxed_recurrence`."""

    inputs: tf.Tensor
    hidden: tf.Tensor
    input_kernel: tf.Tensor
    node_kernels: Sequence[tf.Tensor]
    mixing: tf.Tensor


class _Record(NamedTuple):
    """What one time step leaves behind, or `tf.TensorArray`s of it.

    Attributes:
      output: [B, U].
      sources: [N B, U], the masked states of all nodes but the last.
      states: [N + 1, B, U].
      means, variances: [N + 1, U].
      activations: [c, h] of each node: [B, 2U] of node 0, [J, B, 2U] of the others.
    """

    output: Any
    sources: Any
    states: Any
    means: Any
    variances: Any
    activations: Any


class _Slopes(NamedTuple):
    """What one time step leaves behind on the way back, or `tf.TensorArray`s of it.

    Attributes:
      activations: as in `_Record`.
      nodes: of each searched node [B, U], before its normalisation.
    """

    activations: Any
    nodes: Any


def fused_relaxed_recurrence(
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    input_kernel: tf.Tensor,
    node_kernels: Sequence[tf.Tensor],
    mixing: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> Recurrence:
    """`relaxed_recurrence` with the batch's moments, and with its arguments.

    Gradients are of the outputs alone: the moments have none, and neither do the masks.
    """
    masks = (tf.ensure_shape(input_mask, hidden.shape), tf.ensure_shape(hidden_mask, hidden.shape))

    @tf.custom_gradient
    def recurrence(*arguments: Any) -> tuple[tuple[tf.Tensor, ...], Callable[..., Any]]:
        # Nothing in here is for a tape to record: `gradient` says it all.
        given = _Arguments(*tf.nest.map_structure(tf.stop_gradient, arguments))
        record = _forward(given, *masks)
        arrays = (record.output, record.means, record.variances)
        outputs, means, variances = (array.stack() for array in arrays)

        def gradient(upstream: tf.Tensor, *moments: tf.Tensor) -> Any:
            del moments

            @tf.custom_gradient
            def slopes(upstream: tf.Tensor, *arguments: Any) -> tuple[Any, Callable[..., Any]]:
                result = _gradient(tf.stop_gradient(upstream), given, record, outputs, *masks)
                return tuple(result), lambda *d: _second(d, upstream, arguments, *masks)

            return slopes(upstream, *arguments)

        return (outputs, means, variances), gradient

    kernels = [tf.convert_to_tensor(kernel) for kernel in node_kernels]
    outputs, means, variances = recurrence(inputs, hidden, input_kernel, kernels, mixing)
    return Recurrence(outputs, tf.stop_gradient(means), tf.stop_gradient(variances))


def _forward(given: _Arguments, input_mask: tf.Tensor, hidden_mask: tf.Tensor) -> _Record:
    """Runs the cell forward in time; returns `tf.TensorArray`s over time."""
    steps, batch, units = tf.shape(given.inputs)[0], _batch(given), hidden_mask.shape[-1]
    nodes, rows = len(given.node_kernels), _rows(given)
    projected = flat(given.inputs * input_mask) @ given.input_kernel[:units]
    projected = tf.reshape(projected, [steps, batch, 2 * units])
    hidden_kernel = given.input_kernel[units:]

    def step(t: tf.Tensor, previous: tf.Tensor, arrays: _Record) -> tuple[Any, ...]:
        product = (previous * hidden_mask) @ hidden_kernel
        first, *entry = clusters.first_node(projected[t], product, previous, hidden_mask)
        activations, entries = [first], [entry]
        sources = entry[1]
        for i in range(1, nodes + 1):
            product = sources @ given.node_kernels[i - 1]
            activations.append(tf.reshape(product, [i, batch, 2 * units]))
            states = tuple(entry[0] for entry in entries)
            entries.append(clusters.node(activations[i], states, rows[i - 1], hidden_mask))
            if i < nodes:
                sources = tf.concat([sources, entries[i][1]], axis=0)
        states, _, means, variances = (tf.stack(column) for column in zip(*entries, strict=True))
        output = tf.reduce_mean(states[1:], axis=0)
        record = _Record(output, sources, states, means, variances, activations)
        return t + 1, output, write(arrays, t, record)

    like = _Record(0, 0, 0, 0, 0, [0] * (nodes + 1))
    start = (tf.constant(0), given.hidden, new_arrays(like, steps, given.hidden.dtype))
    return tf.while_loop(lambda t, *_: t < steps, step, start)[2]


def _gradient(
    upstream: tf.Tensor,
    given: _Arguments,
    record: _Record,
    outputs: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> _Arguments:
    """The gradient for the slopes `upstream` of the outputs, [T, B, U] both."""
    units = hidden_mask.shape[-1]
    previous = tf.concat([given.hidden[tf.newaxis], outputs[:-1]], axis=0)
    slopes, hidden_slope = _backward(upstream, given, record, previous, hidden_mask)
    first = flat(slopes.activations[0].stack())
    inputs_slope = tf.matmul(first, given.input_kernel[:units], transpose_b=True)
    sources = tf.concat([given.inputs * input_mask, previous * hidden_mask], axis=-1)
    return _Arguments(
        tf.reshape(inputs_slope, tf.shape(given.inputs)) * input_mask,
        hidden_slope,
        tf.matmul(flat(sources), first, transpose_a=True),
        _kernel_slopes(given, record, slopes),
        _mixing_slopes(given, record, slopes),
    )


def _backward(
    upstream: tf.Tensor,
    given: _Arguments,
    record: _Record,
    previous: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> tuple[_Slopes, tf.Tensor]:
    """Runs the chain back in time; `previous` [T, B, U] are the hidden states before each step.

    Returns:
      `tf.TensorArray`s over time, and the slope of the hidden state before the first step.
    """
    steps, batch, units = tf.shape(upstream)[0], _batch(given), hidden_mask.shape[-1]
    nodes, rows = len(given.node_kernels), _rows(given)
    # Transposed once: the product with a transposed matrix is the slower one.
    hidden_kernel = tf.transpose(given.input_kernel[units:])
    node_kernels = [tf.transpose(kernel) for kernel in given.node_kernels]

    def step(t: tf.Tensor, hidden_slope: tf.Tensor, arrays: _Slopes) -> tuple[Any, ...]:
        output_slope = (upstream[t] + hidden_slope) / nodes
        states, variances = record.states.read(t), record.variances.read(t)
        received = product = None
        activation_slopes, node_slopes = [], []  # the last node's first
        for i in range(nodes, 0, -1):
            received, activation_slope, node_slope = clusters.node_slopes(
                output_slope,
                received,
                product,
                record.activations[i].read(t),
                states[: i + 1],
                variances[i],
                rows[i - 1],
                hidden_mask,
            )
            product = flat(activation_slope) @ node_kernels[i - 1]
            product = tf.reshape(product, [i, batch, units])
            activation_slopes.append(activation_slope)
            node_slopes.append(node_slope)
        carried, activation_slope = clusters.first_node_slopes(
            received,
            product,
            record.activations[0].read(t),
            states[0],
            previous[t],
            variances[0],
            hidden_mask,
        )
        activation_slopes.append(activation_slope)
        hidden_slope = carried + (activation_slope @ hidden_kernel) * hidden_mask
        slopes = _Slopes(activation_slopes[::-1], node_slopes[::-1])
        return t - 1, hidden_slope, write(arrays, t, slopes)

    like = _Slopes([0] * (nodes + 1), [0] * nodes)
    start = (steps - 1, tf.zeros_like(given.hidden), new_arrays(like, steps, upstream.dtype))
    _, hidden_slope, slopes = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return slopes, hidden_slope


def _kernel_slopes(given: _Arguments, record: _Record, slopes: _Slopes) -> list[tf.Tensor]:
    """∂/∂W_i = Σ_t (s m)ᵀ (slope of s m W_i), over all predecessors' states s at once."""
    batch = _batch(given)

    def step(t: tf.Tensor, totals: list[tf.Tensor]) -> tuple[Any, ...]:
        sources = record.sources.read(t)
        return t + 1, [
            total + tf.matmul(sources[: i * batch], flat(array.read(t)), transpose_a=True)
            for i, (total, array) in enumerate(
                zip(totals, slopes.activations[1:], strict=True), start=1
            )
        ]

    steps = tf.shape(given.inputs)[0]
    start = [tf.zeros_like(kernel) for kernel in given.node_kernels]
    return tf.while_loop(lambda t, _: t < steps, step, (tf.constant(0), start))[1]


def _mixing_slopes(given: _Arguments, record: _Record, slopes: _Slopes) -> tf.Tensor:
    """The gradient of the mixing weights, [E, 5]; that of `none` is 0."""
    nodes = len(slopes.nodes)

    def step(t: tf.Tensor, totals: list[Any]) -> tuple[Any, ...]:
        states = record.states.read(t)
        return t + 1, [
            clusters.mixing_slopes(
                record.activations[i].read(t), states[:i], slopes.nodes[i - 1].read(t), total
            )
            for i, total in enumerate(totals, start=1)
        ]

    steps = tf.shape(given.inputs)[0]
    folded = _batch(given) // clusters.fold_of(given.hidden.shape[0])
    empty = [
        tf.zeros([i, folded, given.hidden.shape[-1]], given.mixing.dtype) for i in range(nodes + 1)
    ]
    start = [(empty[i],) * 5 for i in range(1, nodes + 1)]
    totals = tf.while_loop(lambda t, _: t < steps, step, (tf.constant(0), start))[1]
    sums = [[tf.reduce_sum(term, axis=[1, 2]) for term in total] for total in totals]
    rows = [tf.stack(terms[:4], axis=-1) + terms[4][:, tf.newaxis] for terms in sums]
    return tf.pad(tf.concat(rows, axis=0), [[0, 0], [1, 0]])


def _second(
    directions: Sequence[Any],
    upstream: tf.Tensor,
    arguments: Sequence[Any],
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> Any:
    """The gradient of ⟨first gradient, directions⟩: left to the reference and nested tapes."""
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(tf.nest.flatten([upstream, arguments]))
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(tf.nest.flatten(arguments))
            outputs = relaxed_recurrence(*arguments, input_mask, hidden_mask).outputs
        first = inner.gradient(outputs, tf.nest.flatten(arguments), upstream)
        pairs = zip(first, tf.nest.flatten(directions), strict=True)
        product = tf.add_n([tf.reduce_sum(slope * direction) for slope, direction in pairs])
    return outer.gradient(product, [upstream, *arguments])


def _rows(given: _Arguments) -> list[tf.Tensor]:
    """The mixing weights of the edges into each searched node, [J, 5]."""
    return tf.split(given.mixing, list(range(1, len(given.node_kernels) + 1)))


def _batch(given: _Arguments) -> Any:
    """B, a number where it is known: `mixing_slopes` makes use of that."""
    return given.hidden.shape[0] or tf.shape(given.hidden)[0]
