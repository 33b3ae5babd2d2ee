"""Graphs as data: the same results, no more than is wanted, and functions that keep their names."""

import hashlib
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from tf_darts.bilevel.loss import Gradients
from tf_darts.runtime.graph_copies import GraphCopy

X = tf.constant([1.0, 2.0, 3.0])


def traced(function, *arguments):
    return tf.function(function, autograph=False).get_concrete_function(*arguments)


def operations(copy):
    return {node.op for node in copy.graph.node}


def called(copy, *arguments):
    return tf.function(copy, autograph=False)(*arguments)


def both(point, seed):
    x, y = point
    drawn = tf.random.stateless_uniform([3], seed)
    return {"sum": x + y, "rest": [tf.sin(x) * drawn, (tf.cos(y),)]}


def test_the_same_results_in_their_structure():
    point, seed = (X, 2.0 * X), tf.constant([1, 2])
    result = called(GraphCopy.of(traced(both, point, seed)), point, seed)
    expected = both(point, seed)
    tf.nest.assert_same_structure(result, expected)
    for mine, other in zip(*map(tf.nest.flatten, (result, expected)), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_an_argument_may_be_a_result():
    """As where a relaxation hands α on as it is: what shares its device is there without it."""

    def handed_on(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.square(x))
        with tf.compat.v1.colocate_with(x, ignore_existing=True):
            rest = tf.identity(tape.gradient(y, x))
        return {"same": x, "gradient": rest}

    copy = GraphCopy.of(traced(handed_on, X))
    assert not any("_class" in node.attr for node in copy.graph.node)
    result = called(copy, X)
    np.testing.assert_array_equal(result["same"], X)
    np.testing.assert_array_equal(result["gradient"], 2 * X)


def test_what_is_not_wanted_is_left_out():
    arguments = (X, 2.0 * X), tf.constant([1, 2])
    copy = GraphCopy.of(traced(both, *arguments), lambda results: results["rest"][1])
    assert operations(copy) <= {"Cos", "Identity"}
    np.testing.assert_array_equal(called(copy, *arguments)[0], tf.cos(2.0 * X))


def test_variables_are_read_here_and_by_their_places_elsewhere():
    factor, other = tf.Variable(3.0), tf.Variable(5.0)
    copy = GraphCopy.of(traced(lambda x: x * factor, X))
    np.testing.assert_array_equal(called(copy, X), 3.0 * X)
    factor.assign(4.0)
    np.testing.assert_array_equal(called(copy, X), 4.0 * X)
    content = copy.to_bytes([other, factor])
    np.testing.assert_array_equal(called(GraphCopy.from_bytes(content, [factor, other]), X), 5 * X)
    with pytest.raises(ValueError, match="reads other variables"):
        copy.to_bytes([other])
    with pytest.raises(ValueError, match="holds no graph"):
        GraphCopy.from_bytes(content, [factor])


def test_what_changes_something_is_refused():
    counter = tf.Variable(0.0)
    with pytest.raises(ValueError, match="change something"):
        GraphCopy.of(traced(lambda x: x + counter.assign_add(1.0), X))


@tf.function(autograph=False)
def inner(x):
    return tf.exp(x)


@tf.function(autograph=False)
def outer(x):
    return inner(x) * inner(2.0 * x)


def test_functions_inside_come_with_it_under_names_of_their_own():
    concrete = traced(lambda x: Gradients(outer(x), {"state": ()}, [x], []), X)
    content = GraphCopy.of(concrete).to_bytes()
    copy = GraphCopy.from_bytes(content)
    names = {function.signature.name for function in copy.graph.library.function}
    assert len(names) == 2 and all(name.startswith("kept_") for name in names)
    result = called(copy, X)
    assert isinstance(result, Gradients) and result.auxiliary == {"state": ()}
    np.testing.assert_allclose(result.value, np.exp(3.0 * X), rtol=1e-6)
    # Another graph that calls them, traced at another time, has them by the same names.
    other = GraphCopy.from_bytes(GraphCopy.of(traced(lambda x: outer(x) + 1.0, X)).to_bytes())
    assert {function.signature.name for function in other.graph.library.function} == names


def test_functions_that_compute_something_else_have_other_names():
    def names(factor):
        @tf.function(autograph=False)
        def inside(x):
            return x * factor

        copy = GraphCopy.of(traced(lambda x: inside(x), X))
        content = GraphCopy.from_bytes(copy.to_bytes())
        return {function.signature.name for function in content.graph.library.function}

    assert names(2.0) == names(2.0) != names(3.0)


def test_a_tensorflow_without_that_door_is_told(monkeypatch):
    content = GraphCopy.of(traced(lambda x: outer(x), X)).to_bytes()
    monkeypatch.delattr(context.Context, "add_function_def")
    monkeypatch.setattr(context.Context, "has_function", lambda *arguments: False)
    with pytest.raises(ValueError, match=r"TensorFlow .* cannot take its functions"):
        GraphCopy.from_bytes(content)


class Foreign(NamedTuple):
    value: tf.Tensor


def test_every_damaged_byte_is_told():
    content = GraphCopy.of(traced(lambda x: outer(x) + 1.0, X)).to_bytes()
    for place in (0, 70, len(content) // 2, len(content) - 1):
        damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        with pytest.raises(ValueError, match="or a damaged one"):
            GraphCopy.from_bytes(damaged)


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"inputs": [], "outputs": []}\nno graph'])
def test_other_content_is_told(content):
    for whole in (content, hashlib.sha256(content).hexdigest().encode() + b"\n" + content):
        with pytest.raises(ValueError, match="holds no graph"):
            GraphCopy.from_bytes(whole)


def test_other_packages_types_are_not_read():
    content = GraphCopy.of(traced(lambda x: Foreign(x), X)).to_bytes()
    with pytest.raises(ValueError, match="holds no graph"):
        GraphCopy.from_bytes(content)
