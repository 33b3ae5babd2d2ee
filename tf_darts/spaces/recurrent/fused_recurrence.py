"""The relaxed recurrent cell over a sequence, made fast: `relaxed_recurrence` in training mode.

Same numbers, other order of work. What is done differently:

- The part of the first product that reads the inputs is one product for all time steps.
- One pass per node in place of one per operation, by
  Σ_k p_k (s + c (f_k - s)) = P s + c (Σ_k p_k f_k - P s),  P = Σ_k p_k without `none`.
- The gradient is written by hand. Going back in time it computes only what the chain needs, the
  slopes of the activations. The gradients of the kernels and of the mixing weights are sums over
  time of these, each in a loop of its own: a graph that does not ask for one drops its loop.
- Everything between two matrix products is one XLA cluster (`fused_recurrence_nodes`).
- The units are cut into two parts, whose columns of a product, nodes and batch statistics do not
  depend on one another: two threads have something to do although the nodes form a chain.

Shapes: T time steps, B sequences, U units, V units of one part, N searched nodes, E edges.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.spaces.recurrent import fused_recurrence_nodes as clusters
from tf_darts.spaces.recurrent.recurrence import Recurrence, relaxed_recurrence

PARTS = 2  # into which the units are cut, if their number allows

Parts = Sequence[tf.Tensor]  # one tensor for each part of the units


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
      states: for each part [N + 1, B, V].
      means, variances: for each part [N + 1, V].
      activations: for each node, for each part: [J, B, 2V], node 0's [B, 2V].
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
      nodes: for each searched node, for each part: [B, V], before the normalisation.
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
    """`relaxed_recurrence` with the batch's moments; these and the masks have no gradient here.

    Args:
      inputs: [T, B, U], the embedded words.
      hidden: [B, U], the state before the first step.
      input_kernel: [2U, 2U], W0, acting from the right on [x, h]; its columns are [c, h].
      node_kernels: N times [U, 2U], W_i.
      mixing: [E, 5], the mixing weights of the edges.
      input_mask: [B, U], the sequence's dropout mask on the inputs.
      hidden_mask: [B, U], the one on the states.
    """
    input_mask = tf.ensure_shape(input_mask, hidden.shape)
    hidden_mask = tf.ensure_shape(hidden_mask, hidden.shape)

    @tf.custom_gradient
    def recurrence(*arguments: Any) -> tuple[tuple[tf.Tensor, ...], Callable[..., Any]]:
        # Nothing in here is for a tape to record: `gradient` says it all.
        given = _Arguments(*tf.nest.map_structure(tf.stop_gradient, arguments))
        record = _forward(given, input_mask, hidden_mask)
        outputs = record.output.stack()

        def gradient(upstream: tf.Tensor, *moments: tf.Tensor) -> Any:
            del moments

            @tf.custom_gradient
            def slopes(upstream: tf.Tensor, *arguments: Any) -> tuple[Any, Callable[..., Any]]:
                result = _gradient(
                    tf.stop_gradient(upstream), given, record, outputs, input_mask, hidden_mask
                )

                def again(*directions: tf.Tensor) -> Any:
                    return _second(directions, upstream, arguments, input_mask, hidden_mask)

                return tuple(result), again

            return slopes(upstream, *arguments)

        means, variances = (
            tf.concat([array.stack() for array in arrays], axis=-1)
            for arrays in (record.means, record.variances)
        )
        return (outputs, means, variances), gradient

    outputs, means, variances = recurrence(
        inputs, hidden, input_kernel, [tf.convert_to_tensor(k) for k in node_kernels], mixing
    )
    return Recurrence(outputs, tf.stop_gradient(means), tf.stop_gradient(variances))


def _second(
    directions: Sequence[tf.Tensor],
    upstream: tf.Tensor,
    arguments: Sequence[Any],
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> Any:
    """The gradient of ⟨first gradient, directions⟩, left to the reference and nested tapes."""
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(tf.nest.flatten([upstream, arguments]))
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(tf.nest.flatten(arguments))
            outputs = relaxed_recurrence(*arguments, input_mask, hidden_mask).outputs
        first = inner.gradient(outputs, tf.nest.flatten(arguments), upstream)
        pairs = zip(first, tf.nest.flatten(directions), strict=True)
        product = tf.add_n([tf.reduce_sum(slope * direction) for slope, direction in pairs])
    return outer.gradient(product, [upstream, *arguments])


def _gradient(
    upstream: tf.Tensor,
    given: _Arguments,
    record: _Record,
    outputs: tf.Tensor,
    input_mask: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> _Arguments:
    """The gradient for the slopes `upstream` of the outputs [T, B, U]."""
    units = given.hidden.shape[-1]
    previous = tf.concat([given.hidden[tf.newaxis], outputs[:-1]], axis=0)
    slopes, hidden_slope = _backward(upstream, given, record, previous, hidden_mask)
    first = _join_columns([array.stack() for array in slopes.activations[0]])
    first = tf.reshape(first, [-1, 2 * units])
    inputs_slope = tf.matmul(first, given.input_kernel[:units], transpose_b=True)
    sources = tf.concat([given.inputs * input_mask, previous * hidden_mask], axis=-1)
    return _Arguments(
        tf.reshape(inputs_slope, tf.shape(given.inputs)) * input_mask,
        hidden_slope,
        tf.matmul(tf.reshape(sources, [-1, 2 * units]), first, transpose_a=True),
        _kernel_slopes(given, record, slopes),
        _mixing_slopes(given, record, slopes),
    )


def _split_columns(kernel: tf.Tensor) -> list[tf.Tensor]:
    """[…, 2U] with columns [c, h] to [… , 2V] with columns [c, h], for each part."""
    parts = _parts(kernel.shape[-1] // 2)
    pieces = tf.split(kernel, 2 * parts, axis=-1)
    return [tf.concat(pieces[part::parts], axis=-1) for part in range(parts)]


def _join_columns(parts: Parts) -> tf.Tensor:
    """Undoes `_split_columns`."""
    pairs = [tf.split(part, 2, axis=-1) for part in parts]
    return tf.concat([c for c, _ in pairs] + [h for _, h in pairs], axis=-1)


def _parts(units: int) -> int:
    return PARTS if units % PARTS == 0 else 1


def _split(x: tf.Tensor) -> list[tf.Tensor]:
    """[…, U] to one […, V] for each part."""
    return tf.split(x, _parts(x.shape[-1]), axis=-1)


def _rows(mixing: tf.Tensor, nodes: int) -> list[tf.Tensor]:
    """The edges of each searched node: `nodes` tensors [J, 5], with J = 1 to N."""
    return tf.split(mixing, list(range(1, nodes + 1)))


def _batch(hidden: tf.Tensor) -> Any:
    """B, a number where it is known: the clusters do better then."""
    return hidden.shape[0] or tf.shape(hidden)[0]


def _arrays(like: Any, steps: tf.Tensor, dtype: tf.DType) -> Any:
    """One `tf.TensorArray` for each leaf of `like`."""
    return tf.nest.map_structure(lambda _: tf.TensorArray(dtype, size=steps), like)


def _write(arrays: Any, t: tf.Tensor, values: Any) -> Any:
    return tf.nest.map_structure(lambda array, x: array.write(t, x), arrays, values)


def _forward(given: _Arguments, input_mask: tf.Tensor, hidden_mask: tf.Tensor) -> _Record:
    """Runs the cell forward in time; returns `tf.TensorArray`s over time."""
    units, nodes, batch = hidden_mask.shape[-1], len(given.node_kernels), _batch(given.hidden)
    steps = tf.shape(given.inputs)[0]
    masks, rows = _split(hidden_mask), _rows(given.mixing, nodes)
    parts = range(len(masks))
    masked_inputs = tf.reshape(given.inputs * input_mask, [-1, units])
    projected = [
        tf.reshape(masked_inputs @ kernel, [steps, batch, kernel.shape[-1]])
        for kernel in _split_columns(given.input_kernel[:units])
    ]
    hidden_kernels = _split_columns(given.input_kernel[units:])
    node_kernels = [_split_columns(kernel) for kernel in given.node_kernels]

    def step(t: tf.Tensor, previous: tf.Tensor, arrays: _Record) -> tuple[Any, ...]:
        masked, before = previous * hidden_mask, _split(previous)
        first = [
            clusters.first_node(projected[p][t], masked @ hidden_kernels[p], before[p], masks[p])
            for p in parts
        ]
        activations = [[result[0] for result in first]]
        history = [[result[1:]] for result in first]  # for each part, for each node
        sources = tf.concat([past[-1][1] for past in history], axis=-1)
        for i in range(1, nodes + 1):
            products = [sources @ kernel for kernel in node_kernels[i - 1]]
            activations.append([tf.reshape(x, [i, batch, x.shape[-1]]) for x in products])
            for p in parts:
                states = tuple(entry[0] for entry in history[p])
                history[p].append(clusters.node(activations[i][p], states, rows[i - 1], masks[p]))
            if i < nodes:
                latest = tf.concat([past[-1][1] for past in history], axis=-1)
                sources = tf.concat([sources, latest], axis=0)
        states, _, means, variances = (
            [tf.stack([entry[k] for entry in past]) for past in history] for k in range(4)
        )
        output = tf.concat([tf.reduce_mean(state[1:], axis=0) for state in states], axis=-1)
        record = _Record(output, sources, states, means, variances, activations)
        return t + 1, output, _write(arrays, t, record)

    each = [0] * len(parts)
    like = _Record(0, 0, each, each, each, [each] * (nodes + 1))
    start = (tf.constant(0), given.hidden, _arrays(like, steps, given.hidden.dtype))
    return tf.while_loop(lambda t, *_: t < steps, step, start)[2]


def _backward(
    upstream: tf.Tensor,
    given: _Arguments,
    record: _Record,
    previous: tf.Tensor,
    hidden_mask: tf.Tensor,
) -> tuple[_Slopes, tf.Tensor]:
    """Runs the chain back in time.

    Args:
      upstream: [T, B, U], the slopes of the outputs.
      given: what the recurrence was given.
      record: what it left behind.
      previous: [T, B, U], the hidden state before each step.
      hidden_mask: [B, U].

    Returns:
      `tf.TensorArray`s over time, and the slope of the hidden state before the first step.
    """
    units, nodes, batch = hidden_mask.shape[-1], len(given.node_kernels), _batch(given.hidden)
    masks, rows = _split(hidden_mask), _rows(given.mixing, nodes)
    parts = range(len(masks))
    hidden_kernels = [tf.transpose(k) for k in _split_columns(given.input_kernel[units:])]
    node_kernels = [[tf.transpose(k) for k in _split_columns(w)] for w in given.node_kernels]

    def step(t: tf.Tensor, hidden_slope: tf.Tensor, arrays: _Slopes) -> tuple[Any, ...]:
        output_slopes = _split((upstream[t] + hidden_slope) / nodes)
        states = [array.read(t) for array in record.states]
        variances = [array.read(t) for array in record.variances]
        received, products = [None for _ in parts], ()
        activation_slopes, node_slopes = [], []  # the last node's first
        for i in range(nodes, 0, -1):
            results = [
                clusters.node_slopes(
                    output_slopes[p],
                    received[p],
                    products,
                    record.activations[i][p].read(t),
                    states[p][: i + 1],
                    variances[p][i],
                    rows[i - 1],
                    masks[p],
                    p,
                )
                for p in parts
            ]
            received, activation_slope, node_slope = zip(*results, strict=True)
            products = tuple(
                tf.reshape(_flat(slope) @ kernel, [i, batch, units])
                for slope, kernel in zip(activation_slope, node_kernels[i - 1], strict=True)
            )
            activation_slopes.append(list(activation_slope))
            node_slopes.append(list(node_slope))
        before = _split(previous[t])
        results = [
            clusters.first_node_slopes(
                received[p],
                products,
                record.activations[0][p].read(t),
                states[p][0],
                before[p],
                variances[p][0],
                masks[p],
                p,
            )
            for p in parts
        ]
        carried, activation_slope = zip(*results, strict=True)
        activation_slopes.append(list(activation_slope))
        product = tf.add_n([activation_slope[p] @ hidden_kernels[p] for p in parts])
        slopes = _Slopes(activation_slopes[::-1], node_slopes[::-1])
        return t - 1, tf.concat(carried, axis=-1) + product * hidden_mask, _write(arrays, t, slopes)

    each = [0] * len(parts)
    like = _Slopes([each] * (nodes + 1), [each] * nodes)
    steps = tf.shape(upstream)[0]
    start = (steps - 1, tf.zeros_like(given.hidden), _arrays(like, steps, upstream.dtype))
    _, hidden_slope, slopes = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return slopes, hidden_slope


def _flat(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, x.shape[-1]])


def _kernel_slopes(given: _Arguments, record: _Record, slopes: _Slopes) -> list[tf.Tensor]:
    """∂/∂W_i = Σ_t (s m)ᵀ (slope of s m W_i), over all predecessors' states s at once."""
    batch, nodes = _batch(given.hidden), len(given.node_kernels)

    def step(t: tf.Tensor, totals: list[list[tf.Tensor]]) -> tuple[Any, ...]:
        sources = record.sources.read(t)
        return t + 1, [
            [
                total + tf.matmul(sources[: i * batch], _flat(array.read(t)), transpose_a=True)
                for total, array in zip(totals[i - 1], slopes.activations[i], strict=True)
            ]
            for i in range(1, nodes + 1)
        ]

    steps = tf.shape(given.inputs)[0]
    start = [
        [tf.zeros_like(part) for part in _split_columns(kernel)] for kernel in given.node_kernels
    ]
    totals = tf.while_loop(lambda t, _: t < steps, step, (tf.constant(0), start))[1]
    return [_join_columns(total) for total in totals]


def _mixing_slopes(given: _Arguments, record: _Record, slopes: _Slopes) -> tf.Tensor:
    """The gradient with respect to the mixing weights, [E, 5]; that of `none` is 0."""
    nodes, parts = len(slopes.nodes), len(record.states)

    def step(t: tf.Tensor, totals: list[list[Any]]) -> tuple[Any, ...]:
        states = [array.read(t) for array in record.states]
        return t + 1, [
            [
                clusters.mixing_slopes(
                    record.activations[i][p].read(t),
                    states[p][:i],
                    slopes.nodes[i - 1][p].read(t),
                    totals[i - 1][p],
                )
                for p in range(parts)
            ]
            for i in range(1, nodes + 1)
        ]

    steps = tf.shape(given.inputs)[0]
    folded = _batch(given.hidden) // clusters.fold_of(given.hidden.shape[0])
    units = given.hidden.shape[-1] // parts
    start = [
        [(tf.zeros([i, folded, units], given.mixing.dtype),) * 5] * parts
        for i in range(1, nodes + 1)
    ]
    totals = tf.while_loop(lambda t, _: t < steps, step, (tf.constant(0), start))[1]
    slopes_of_rows = []
    for node in totals:
        sums = [tf.reduce_sum(tf.add_n(terms), axis=[1, 2]) for terms in zip(*node, strict=True)]
        slopes_of_rows.append(tf.stack(sums[:4], axis=-1) + sums[4][:, tf.newaxis])
    return tf.pad(tf.concat(slopes_of_rows, axis=0), [[0, 0], [1, 0]])
