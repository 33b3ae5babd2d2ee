"""The fast derived recurrence against the clear one."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.support.recurrences import BATCH, CELLS, UNITS, derived_problem
from tf_darts.accelerate.recurrent.derived_recurrence import fast_derived_recurrence
from tf_darts.spaces.recurrent.derived.recurrence import derived_recurrence


def gradients(recurrence, cell, arguments, upstream):
    """The outputs and the gradient of <outputs, upstream>."""
    names = ("inputs", "hidden", "input_kernel", "node_kernels")
    sources = [arguments[name] for name in names]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tf.nest.flatten(sources))
        outputs = recurrence(cell, **arguments)
        value = tf.reduce_sum(outputs * upstream)
    slopes = tape.gradient(value, sources, unconnected_gradients="zero")
    return outputs, slopes


@functools.cache
def traced(recurrence, cell, dtype, batch=BATCH):
    """`gradients` in a graph that leaves the number of time steps open."""
    arguments, upstream = derived_problem(cell, 2, dtype)
    signature = tf.nest.map_structure(tf.TensorSpec.from_tensor, arguments)
    sequence = tf.TensorSpec([None, batch, UNITS], upstream.dtype)
    signature["inputs"] = sequence
    for name in ("hidden", "input_mask", "hidden_mask"):
        signature[name] = tf.TensorSpec([batch, UNITS], upstream.dtype)
    return tf.function(
        functools.partial(gradients, recurrence, cell),
        input_signature=(signature, sequence),
        autograph=False,
    )


def assert_close(actual, expected, tolerance):
    for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        assert a.shape == e.shape
        assert np.linalg.norm(a.numpy() - e.numpy()) <= tolerance * np.linalg.norm(e)


@pytest.mark.parametrize("name", CELLS)
def test_values_and_gradients(name):
    arguments = derived_problem(CELLS[name], 4)
    expected = gradients(derived_recurrence, CELLS[name], *arguments)
    fast = traced(fast_derived_recurrence, CELLS[name], "float64")
    assert_close(fast(*arguments), expected, 1e-10)


@pytest.mark.slow
def test_without_a_graph_and_with_an_unknown_batch():
    cell = CELLS["darts_v2"]
    arguments = derived_problem(cell, 3)
    expected = gradients(derived_recurrence, cell, *arguments)
    assert_close(gradients(fast_derived_recurrence, cell, *arguments), expected, 1e-10)
    unknown = traced(fast_derived_recurrence, cell, "float64", None)
    assert_close(unknown(*arguments), expected, 1e-10)


def test_float32_and_every_length_by_one_trace():
    cell = CELLS["darts_v2"]
    fast = traced(fast_derived_recurrence, cell, "float32")
    for steps in (1, 5, 17):
        arguments = derived_problem(cell, steps, "float32", seed=steps)
        doubled = tf.nest.map_structure(lambda x: tf.cast(x, tf.float64), arguments)
        assert_close(fast(*arguments), gradients(derived_recurrence, cell, *doubled), 1e-5)
    assert fast.experimental_get_tracing_count() == 1


def test_a_second_derivative_is_refused_not_wrong():
    cell = CELLS["random 0"]
    arguments, upstream = derived_problem(cell, 2)
    kernel = arguments["input_kernel"]
    with tf.GradientTape() as outer:
        outer.watch(kernel)
        with tf.GradientTape() as inner:
            inner.watch(kernel)
            value = tf.reduce_sum(upstream * fast_derived_recurrence(cell, **arguments) ** 2)
        slope = inner.gradient(value, kernel)
    with pytest.raises(LookupError, match="no second derivative"):
        outer.gradient(slope, kernel)
