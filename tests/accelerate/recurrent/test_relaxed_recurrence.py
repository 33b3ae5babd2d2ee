"""The fast recurrence against the clear one: values, gradients, second derivatives."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.support import recurrences
from tf_darts.accelerate.recurrent import relaxed_nodes
from tf_darts.accelerate.recurrent.relaxed_recurrence import fast_relaxed_recurrence
from tf_darts.spaces.recurrent.relaxed.recurrence import relaxed_recurrence

BATCH, UNITS, NODES = 6, 8, 2
WATCHED = ("inputs", "hidden", "input_kernel", "node_kernels", "mixing")


def problem(steps, dtype="float64", units=UNITS, seed=0):
    return recurrences.problem(steps, NODES, 0.5, (BATCH, units), dtype, seed, mixes=True)


def gradients(recurrence, arguments, upstream, watched=WATCHED):
    """The recurrence's results and the gradient of <outputs, upstream>."""
    sources = [arguments[name] for name in watched]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tf.nest.flatten(sources))
        result = recurrence(**arguments)
        value = tf.reduce_sum(result.outputs * upstream)
    return result, tape.gradient(value, sources)


def second(recurrence, arguments, upstream, directions, watched=("mixing",)):
    """The gradient of <∇_w value, directions>, w being `directions`' keys; value is not linear."""
    sources = [arguments[name] for name in watched]
    weights = [arguments[name] for name in directions]
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(tf.nest.flatten([sources, upstream]))
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(tf.nest.flatten(weights))
            value = tf.reduce_sum(tf.sin(recurrence(**arguments).outputs) * upstream)
        slopes = tf.nest.flatten(inner.gradient(value, weights))
        pairs = zip(slopes, tf.nest.flatten(list(directions.values())), strict=True)
        product = tf.add_n([tf.reduce_sum(slope * direction) for slope, direction in pairs])
    return outer.gradient(product, [*sources, upstream])


@functools.cache
def traced(recurrence, dtype, units=UNITS, batch=BATCH):
    """`gradients` in a graph that leaves the number of time steps open."""
    arguments, upstream = problem(2, dtype, units=units)
    signature = tf.nest.map_structure(tf.TensorSpec.from_tensor, arguments)
    sequence = tf.TensorSpec([None, batch, units], upstream.dtype)
    signature["inputs"] = sequence
    if batch is None:
        for name in ("hidden", "input_mask", "hidden_mask"):
            signature[name] = tf.TensorSpec([None, units], upstream.dtype)
    return tf.function(
        functools.partial(gradients, recurrence),
        input_signature=(signature, sequence),
        autograph=False,
    )


def assert_close(actual, expected, tolerance):
    for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        assert a.shape == e.shape
        assert np.linalg.norm(a.numpy() - e.numpy()) <= tolerance * np.linalg.norm(e)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_values_and_gradients_for_any_length_by_one_trace(dtype, tolerance):
    fast = traced(fast_relaxed_recurrence, dtype)
    for steps in (2, 5):
        arguments = problem(steps, dtype, seed=steps)
        precise = tf.nest.map_structure(lambda x: tf.cast(x, tf.float64), arguments)
        assert_close(fast(*arguments), gradients(relaxed_recurrence, *precise), tolerance)
    assert fast.experimental_get_tracing_count() == 1


@pytest.mark.slow
@pytest.mark.parametrize(("units", "batch"), [(7, BATCH), (UNITS, None)])
def test_odd_units_and_unknown_batch(units, batch):
    arguments = problem(3, units=units)
    clear = gradients(relaxed_recurrence, *arguments)
    # Traces of an unknown batch are found again where it is known.
    for size in dict.fromkeys((batch, BATCH)):
        fast = traced(fast_relaxed_recurrence, "float64", units, size)
        assert_close(fast(*arguments), clear, 1e-10)


def test_gradient_of_the_mixing_weights_alone():
    arguments = problem(4)
    every = traced(fast_relaxed_recurrence, "float64")(*arguments)[1]
    alone = tf.function(
        lambda: gradients(fast_relaxed_recurrence, *arguments, ["mixing"])[1], autograph=False
    )()
    assert_close(alone, every[-1:], 1e-14)
    assert np.all(alone[0][:, 0] == 0.0)  # `none`


def test_all_edges_share_one_program_of_each_kind():
    kinds = (relaxed_nodes.edge, relaxed_nodes.edge_slopes, relaxed_nodes.mixing_slopes)
    kinds += (relaxed_nodes.normalized, relaxed_nodes.node_slope)
    before = [kind.experimental_get_tracing_count() for kind in kinds]
    arguments, upstream = recurrences.problem(3, 4, 0.5, (3, 5), "float64", 0, mixes=True)
    clear = gradients(relaxed_recurrence, arguments, upstream)
    fast = tf.function(lambda: gradients(fast_relaxed_recurrence, arguments, upstream))
    assert_close(fast(), clear, 1e-10)
    after = [kind.experimental_get_tracing_count() for kind in kinds]
    assert [a - b for a, b in zip(after, before, strict=True)] == [1] * len(kinds)


NAMES = ("inputs", "hidden", "input_kernel", "node_kernels", "mixing")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moved", "watched"),
    [
        (("input_kernel", "node_kernels"), ("mixing",)),  # what a search asks for
        (NAMES, NAMES),
    ],
)
def test_second_derivative(moved, watched):
    arguments, upstream = problem(3)
    rng = np.random.default_rng(9)
    directions = {
        name: tf.nest.map_structure(
            lambda x: tf.constant(rng.normal(size=x.shape)), arguments[name]
        )
        for name in moved
    }
    given = arguments, upstream, directions, watched
    fast = tf.function(lambda: second(fast_relaxed_recurrence, *given), autograph=False)()
    assert_close(fast, second(relaxed_recurrence, *given), 1e-9)


@pytest.mark.slow
def test_a_third_derivative_is_refused():
    arguments, upstream = problem(2)
    directions = {"hidden": tf.ones_like(arguments["hidden"])}

    def third():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(arguments["mixing"])
            twice = second(fast_relaxed_recurrence, arguments, upstream, directions)[0]
        return tape.gradient(twice, arguments["mixing"])

    with pytest.raises(LookupError, match="no third derivative"):
        tf.function(third, autograph=False)()
