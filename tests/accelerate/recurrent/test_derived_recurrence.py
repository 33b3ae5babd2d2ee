"""The fast derived recurrence against the clear one."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.accelerate.recurrent.derived_recurrence import fast_derived_recurrence
from tf_darts.cells.genotype import RECURRENT_PRIMITIVES, RecurrentGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.spaces.recurrent.derived.recurrence import derived_recurrence

BATCH, UNITS = 4, 6


def random_cell(seed, nodes=5):
    """Some nodes are read by none and are no part of the output."""
    rng = np.random.default_rng(seed)
    edges = tuple(
        (str(rng.choice(RECURRENT_PRIMITIVES[1:])), int(rng.integers(i + 1))) for i in range(nodes)
    )
    concat = rng.choice(np.arange(1, nodes + 1), size=2, replace=False)
    return RecurrentGenotype(edges, tuple(int(node) for node in concat))


CELLS = PUBLISHED["recurrent"] | {f"random {seed}": random_cell(seed) for seed in range(4)}


def problem(cell, steps, dtype="float64", seed=0):
    """Random arguments, with dropped units."""
    rng = np.random.default_rng(seed)

    def normal(*shape, scale=1.0):
        return tf.constant(scale * rng.normal(size=shape), dtype)

    def mask(rate):
        kept = rng.uniform(size=(BATCH, UNITS)) >= rate
        assert 0 < kept.sum() < kept.size
        return tf.constant(kept / (1.0 - rate), dtype)

    return {
        "inputs": normal(steps, BATCH, UNITS),
        "hidden": normal(BATCH, UNITS),
        "input_kernel": normal(2 * UNITS, 2 * UNITS, scale=0.7),
        "node_kernels": [normal(UNITS, 2 * UNITS, scale=0.7) for _ in cell.edges],
        "input_mask": mask(0.5),
        "hidden_mask": mask(0.25),
    }, normal(steps, BATCH, UNITS)


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
    arguments, upstream = problem(cell, 2, dtype)
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
    arguments = problem(CELLS[name], 4)
    expected = gradients(derived_recurrence, CELLS[name], *arguments)
    fast = traced(fast_derived_recurrence, CELLS[name], "float64")
    assert_close(fast(*arguments), expected, 1e-10)


def test_without_a_graph_and_with_an_unknown_batch():
    cell = CELLS["darts_v2"]
    arguments = problem(cell, 3)
    expected = gradients(derived_recurrence, cell, *arguments)
    assert_close(gradients(fast_derived_recurrence, cell, *arguments), expected, 1e-10)
    unknown = traced(fast_derived_recurrence, cell, "float64", None)
    assert_close(unknown(*arguments), expected, 1e-10)


def test_float32_and_every_length_by_one_trace():
    cell = CELLS["darts_v2"]
    fast = traced(fast_derived_recurrence, cell, "float32")
    clear = traced(derived_recurrence, cell, "float64")
    for steps in (1, 5, 17):
        arguments = problem(cell, steps, "float32", seed=steps)
        doubled = tf.nest.map_structure(lambda x: tf.cast(x, tf.float64), arguments)
        assert_close(fast(*arguments), clear(*doubled), 1e-5)
    assert fast.experimental_get_tracing_count() == 1


def test_a_second_derivative_is_refused_not_wrong():
    cell = random_cell(0)
    arguments, upstream = problem(cell, 2)
    kernel = arguments["input_kernel"]
    with tf.GradientTape() as outer:
        outer.watch(kernel)
        with tf.GradientTape() as inner:
            inner.watch(kernel)
            value = tf.reduce_sum(upstream * fast_derived_recurrence(cell, **arguments) ** 2)
        slope = inner.gradient(value, kernel)
    with pytest.raises(LookupError, match="no second derivative"):
        outer.gradient(slope, kernel)
