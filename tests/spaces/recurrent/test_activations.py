"""Activations that are added to the recurrent space."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import recurrences, swish
from tf_darts.accelerate.recurrent.derived_recurrence import fast_derived_recurrence
from tf_darts.accelerate.recurrent.relaxed_recurrence import fast_relaxed_recurrence
from tf_darts.cells.genotype import RECURRENT_PRIMITIVES, RecurrentGenotype
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.errors import UserError
from tf_darts.runs.search import added_operations
from tf_darts.spaces.recurrent.activations import (
    ACTIVATIONS,
    add_activation,
    value_and_slope,
)
from tf_darts.spaces.recurrent.derived.recurrence import derived_recurrence
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.recurrence import mix, relaxed_recurrence
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet

WATCHED = ("inputs", "hidden", "input_kernel", "node_kernels", "mixing")


@pytest.fixture
def added():
    with swish.added():
        yield


def test_the_table_is_in_the_order_of_the_columns():
    assert ("none", *ACTIVATIONS) == RECURRENT_PRIMITIVES


def test_searches_try_it_and_runs_remember_it(added):
    model = RelaxedLanguageModel(words=7, units=4, nodes=2)
    cells = RecurrentSupernet(model).cells
    assert cells["cell"].operations == (*RECURRENT_PRIMITIVES, "swish")
    assert TOPOLOGIES["recurrent"]["cell"].operations[-1] == "swish"
    assert added_operations(cells) == {"added_operations": ["swish"]}


def test_without_it_there_is_nothing_to_remember():
    assert added_operations(RecurrentSupernet(RelaxedLanguageModel(7, 4, 2)).cells) == {}


def test_a_mixture_of_it_is_the_highway_of_its_function(added):
    rng = np.random.default_rng(0)
    states, gates, candidates = rng.normal(size=(3, 2, 3, 4))
    mixing = np.zeros([2, 6])
    mixing[:, 5] = 0.3, 0.7
    found = mix(*(tf.constant(x) for x in (states, gates, candidates, mixing)))
    highway = states + gates * (swish.swish_in_numpy(candidates) - states)
    np.testing.assert_allclose(found, np.einsum("j,jbu->bu", mixing[:, 5], highway), rtol=1e-12)


def relaxed_problem(columns):
    arguments, upstream = recurrences.problem(3, 2, 0.5, (6, 8), mixes=True)
    draw = np.random.default_rng(1).normal(size=(3, columns))
    arguments["mixing"] = tf.nn.softmax(tf.constant(draw))
    return arguments, upstream


def of_both_orders(recurrence, arguments, upstream):
    """Outputs, all gradients of a number that is not linear in them, and gradients of those."""
    sources = tf.nest.flatten({name: arguments[name] for name in WATCHED})
    with tf.GradientTape() as outer:
        outer.watch(sources)
        with tf.GradientTape() as inner:
            inner.watch(sources)
            outputs = recurrence(**arguments).outputs
            value = tf.reduce_sum(tf.sin(outputs) * upstream)
        first = inner.gradient(value, sources)
        rng = np.random.default_rng(2)
        product = tf.add_n([tf.reduce_sum(slope * rng.normal(size=slope.shape)) for slope in first])
    return [outputs, *first, *outer.gradient(product, sources)]


@pytest.mark.slow
def test_the_fast_supernet_has_its_gradients_of_both_orders(added):
    arguments, upstream = relaxed_problem(columns=6)
    fast = tf.function(
        lambda: of_both_orders(fast_relaxed_recurrence, arguments, upstream), autograph=False
    )()
    clear = of_both_orders(relaxed_recurrence, arguments, upstream)
    for found, expected in zip(fast, clear, strict=True):
        assert np.linalg.norm(found - expected) <= 1e-10 * np.linalg.norm(expected)
    mixing = clear[1 + sorted(WATCHED).index("mixing")].numpy()  # behind the outputs
    assert np.all(mixing[:, 0] == 0.0) and np.all(mixing[:, 5] != 0.0)


def test_a_model_that_was_made_before_goes_on_without_it(added):
    arguments, _ = relaxed_problem(columns=5)
    fast, clear = (f(**arguments).outputs for f in (fast_relaxed_recurrence, relaxed_recurrence))
    np.testing.assert_allclose(fast, clear, rtol=1e-10)


def test_derived_cells_have_it(added):
    cell = RecurrentGenotype((("swish", 0), ("tanh", 1), ("swish", 1)), (1, 2, 3))
    arguments, upstream = recurrences.derived_problem(cell, 3)
    sources = [arguments[name] for name in ("inputs", "input_kernel", "node_kernels")]
    results = []
    for recurrence in (fast_derived_recurrence, derived_recurrence):
        with tf.GradientTape() as tape:
            tape.watch(tf.nest.flatten(sources))
            outputs = recurrence(cell, **arguments)
            value = tf.reduce_sum(outputs * upstream)
        results.append(tf.nest.flatten([outputs, tape.gradient(value, sources)]))
    for fast, clear in zip(*results, strict=True):
        np.testing.assert_allclose(fast, clear, rtol=1e-9, atol=1e-11)


def test_cells_with_it_are_unknown_where_it_was_not_added():
    with pytest.raises(UserError, match="swish"):
        RecurrentGenotype((("swish", 0),), (1,))


def test_values_and_slopes():
    points = tf.constant([-1.5, 0.0, 2.0], tf.float64)
    value, slope = value_and_slope(swish.swish, points)
    sigma = 1.0 / (1.0 + np.exp(-points.numpy()))
    np.testing.assert_allclose(value, points * sigma, rtol=1e-12)
    np.testing.assert_allclose(slope, sigma + points * sigma * (1.0 - sigma), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "function", "sentence"),
    [
        ("tanh", swish.swish, "there is an operation 'tanh' already"),
        ("none", swish.swish, "there is an operation 'none' already"),
        ("a b", swish.swish, "add_activation: 'a b' is no name"),
        ("nothing", None, "'nothing' cannot be compiled and differentiated .TypeError"),
        (
            "numpy",
            lambda x: np.tanh(x.numpy()),
            "'numpy' cannot be .* docs/own_operation.md",
        ),
        ("summed", tf.reduce_sum, r"'summed' makes \(\) float32 of \(2, 3\) float32"),
        ("whole", lambda x: tf.cast(x, tf.int32), r"'whole' makes \(2, 3\) int32"),
        ("weighted", lambda x: tf.Variable(2.0) * x, "'weighted' cannot be compiled"),
    ],
)
def test_what_cannot_be_added(name, function, sentence):
    with pytest.raises(UserError, match=sentence) as refused:
        add_activation(name, function)
    assert "\n" not in str(refused.value)
    assert TOPOLOGIES["recurrent"]["cell"].operations == RECURRENT_PRIMITIVES
