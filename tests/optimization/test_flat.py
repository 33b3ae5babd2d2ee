import keras
import numpy as np
import tensorflow as tf

from tf_darts.optimization.flat import FlatLayout

SHAPES = [(2, 3), (), (4,), (1, 2, 2)]


def make_values():
    random = np.random.default_rng(0)
    return [tf.constant(random.standard_normal(shape), tf.float32) for shape in SHAPES]


def layout():
    return FlatLayout([keras.Variable(np.zeros(shape)) for shape in SHAPES])


def test_there_and_back():
    values = make_values()
    vector = layout().flatten(values)
    assert vector.shape == (layout().size,) == (6 + 1 + 4 + 4,)
    for value, back in zip(values, layout().unflatten(vector), strict=True):
        np.testing.assert_array_equal(value, back)
    assert vector.numpy()[6] == values[1].numpy()


def test_gradients_go_through_once_and_twice():
    vector = layout().flatten(make_values())
    with tf.GradientTape() as outer:
        outer.watch(vector)
        with tf.GradientTape() as inner:
            inner.watch(vector)
            parts = layout().unflatten(vector)
            loss = tf.add_n([tf.reduce_sum((i + 1.0) * p**3) for i, p in enumerate(parts)])
        gradient = inner.gradient(loss, vector)
    second = outer.gradient(gradient, vector)
    weights = np.repeat([1.0, 2.0, 3.0, 4.0], [6, 1, 4, 4])
    np.testing.assert_allclose(gradient, 3 * weights * vector.numpy() ** 2, rtol=1e-6)
    np.testing.assert_allclose(second, 6 * weights * vector.numpy(), rtol=1e-6)


def test_a_graph_has_an_operation_for_each_value_that_is_no_vector():
    values = layout()
    function = tf.function(values.unflatten, autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec([values.size])).graph
    types = [operation.type for operation in graph.get_operations()]
    assert (types.count("SplitV"), types.count("Reshape")) == (1, 3)
    assert "IdentityN" not in types


def test_nothing_is_an_empty_vector():
    empty = FlatLayout([])
    assert empty.size == 0 and empty.flatten([]).shape == (0,)
    assert empty.unflatten(empty.flatten([])) == []
