"""Lean graphs: fewer operations, the same numbers, and nothing shared that may not be."""

import gc

import numpy as np
import pytest
import tensorflow as tf

from tests.bilevel import test_replicated_step as searches
from tf_darts.runtime import lean_graphs
from tf_darts.runtime.lean_graphs import backward_pass, constant, lean, lean_graph, set_lean
from tf_darts.runtime.replicas import SINGLE_REPLICA


def operations(function, *arguments):
    """The types of what a function's graph is made of."""
    graph = tf.function(function, autograph=False).get_concrete_function(*arguments).graph
    return [operation.type for operation in graph.get_operations()]


def reshaped_twice(x):
    return tf.reshape(x, [2, 3]), tf.reshape(x, [2, 3]), tf.reshape(x, [3, 2])


def test_equal_integers_are_one_constant():
    x = tf.zeros([6])
    assert operations(reshaped_twice, x).count("Const") == 3
    assert operations(lean(reshaped_twice), x).count("Const") == 2


def test_types_and_shapes_tell_constants_apart():
    def made():
        values = [1], [[1]], 1, True
        same_bytes = [tf.constant(v) for v in values] + [tf.constant(1, tf.int64)]
        return same_bytes + [tf.constant(v) for v in values]

    assert operations(lean(made)).count("Const") == 5
    for mine, other in zip(tf.function(lean(made))(), made(), strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other)


def test_a_tape_watches_one_of_two_equal_constants():
    @tf.function(autograph=False)
    @lean
    def slope():
        watched, other = tf.constant([2.0]), tf.constant([2.0])
        with tf.GradientTape() as tape:
            tape.watch(watched)
            value = watched * other
        return tape.gradient(value, watched)

    np.testing.assert_array_equal(slope(), [2.0])  # 4 for both


def test_derivatives_and_who_asks_share_floats():
    def made():
        apart = tf.constant(1.5), tf.constant(1.5)
        together = constant(1.5, tf.float32), constant(1.5, tf.float32)
        with backward_pass():
            derived = tf.constant(1.5)
        return *apart, *together, derived, tf.constant(1.5)

    assert operations(lean(made)).count("Const") == 4
    assert operations(made).count("Const") == 6


def test_what_waits_is_not_shared():
    @lean
    def made(x):
        with tf.control_dependencies([x + 1.0]):
            first = tf.constant([1, 2])
        return first + tf.constant([1, 2])

    assert operations(made, tf.zeros([])).count("Const") >= 2 + 1  # and what is added to x


def test_long_constants_are_made_anew():
    def made():
        return [tf.constant(np.arange(1000)) for _ in range(2)]

    assert operations(lean(made)).count("Const") == 2


def test_shapes_of_calls_are_those_of_the_function():
    inner = tf.function(lambda x: tf.concat([x, x], 0), autograph=False)
    shapes = []

    @lean
    def outer(x):
        shapes.append(inner(x).shape)
        return x

    function = tf.function(outer, autograph=False)
    graph = function.get_concrete_function(tf.zeros([2, 3])).graph
    [call] = [o for o in graph.get_operations() if o.type == "PartitionedCall"]
    assert call.get_attr("_disable_call_shape_inference")
    assert shapes == [[4, 3]]


def test_a_function_inside_has_constants_of_its_own():
    inner = tf.function(lean(lambda x: tf.reshape(x, [2, 3])), autograph=False)

    @lean
    def outer(x):
        return tf.reshape(x, [2, 3]) + inner(x)

    function = tf.function(outer, autograph=False)
    assert function(tf.zeros([6])).shape == [2, 3]
    for each in (function, inner):
        graph = each.get_concrete_function(tf.zeros([6])).graph
        assert [o.type for o in graph.get_operations()].count("Const") == 1


def test_a_graph_is_as_ever_afterwards():
    def made(x):
        with pytest.raises(ZeroDivisionError), lean_graph():
            raise ZeroDivisionError
        return reshaped_twice(x)

    assert operations(made, tf.zeros([6])).count("Const") == 3


def test_inside_of_itself_nothing_changes():
    def made(x):
        with lean_graph():
            with lean_graph():
                first = tf.reshape(x, [2, 3])
            return first, tf.reshape(x, [2, 3])

    assert operations(made, tf.zeros([6])).count("Const") == 1


def test_eagerly_it_changes_nothing():
    with lean_graph(), backward_pass():
        assert constant([1.0], tf.float32).numpy() == [1.0]


def test_it_can_be_left_out():
    set_lean(False)
    assert operations(lean(reshaped_twice), tf.zeros([6])).count("Const") == 3


def test_another_tensorflow_s_graphs_are_as_ever(monkeypatch):
    """A version whose graphs make operations by another method."""
    monkeypatch.setattr(lean_graphs, "_METHOD", "_make_otherwise")
    assert operations(lean(reshaped_twice), tf.zeros([6])).count("Const") == 3


def test_python_does_not_collect_while_a_graph_is_made():
    inside = []
    operations(lean(lambda x: inside.append(gc.isenabled()) or x), tf.zeros([]))
    assert inside == [False] and gc.isenabled()


@pytest.mark.slow
@pytest.mark.parametrize(
    "space", ["convolutional", pytest.param("recurrent", marks=pytest.mark.long)]
)
def test_a_search_is_the_same_bit_for_bit(space):
    """The step of each kind of hypergradient, with masks where there are any."""
    lean_taken = searches.taken(space, SINGLE_REPLICA, dropout=0.5)
    set_lean(False)
    taken = searches.taken(space, SINGLE_REPLICA, dropout=0.5)
    for name, values in taken.items():
        for ours, theirs in zip(lean_taken[name], values, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
