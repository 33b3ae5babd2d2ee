import keras
import numpy as np
import tensorflow as tf

from tf_darts.optimization.flat import FlatLayout, Repeated, repetitions

SHAPES = [(2, 3), (), (4,), (1, 2, 2)]
# Three edges of two operations, with a layer before and one behind.
EDGES = [(5, 2), *[(3, 3, 2, 1), (2, 2), (2,)] * 3, (2, 4), (4,)]


def make_values(shapes=SHAPES):
    random = np.random.default_rng(0)
    return [tf.constant(random.standard_normal(shape), tf.float32) for shape in shapes]


def layout(shapes=SHAPES):
    return FlatLayout([keras.Variable(np.zeros(shape)) for shape in shapes])


def test_there_and_back():
    values = make_values()
    vector = layout().flatten(values)
    assert vector.shape == (layout().size,) == (6 + 1 + 4 + 4,)
    for value, back in zip(values, layout().unflatten(vector), strict=True):
        np.testing.assert_array_equal(value, back)
    assert vector.numpy()[6] == values[1].numpy()


def test_repeated_shapes_stand_in_the_order_given():
    """A checkpoint holds such a vector: its order is for ever."""
    values = make_values(EDGES)
    vector = layout(EDGES).flatten(values)
    np.testing.assert_array_equal(vector, np.concatenate([np.ravel(value) for value in values]))
    backs = layout(EDGES).unflatten(vector)
    for value, back in zip(values, backs, strict=True):
        np.testing.assert_array_equal(value, back)


def test_what_is_repeated():
    kernel, product = (3, 3, 2, 1), (2, 2)
    edge = (kernel, product, (2,))
    assert repetitions(EDGES) == [
        Repeated(((5, 2),), 1),
        Repeated(edge, 3),
        Repeated(((2, 4),), 1),
        Repeated(((4,),), 1),
    ]
    # Of equally long ones the shortest period.
    assert repetitions([kernel] * 6) == [Repeated((kernel,), 6)]
    assert repetitions([kernel, product] * 2) == [Repeated((kernel, product), 2)]
    assert repetitions([(3,)] * 3) == [Repeated(((3,),), 1)] * 3
    assert repetitions([]) == []


def test_repeated_shapes_are_few_operations():
    edges = layout([(3, 3, 2, 1), (2, 2)] * 30)
    graph = tf.function(edges.unflatten).get_concrete_function(tf.TensorSpec([edges.size])).graph
    types = [operation.type for operation in graph.get_operations()]
    assert (types.count("Unpack"), types.count("Reshape")) == (2, 3)
    assert types.count("SplitV") == 2  # of the vector, and of the edges


def test_gradients_of_repeated_shapes():
    def loss(parts):
        return tf.add_n([tf.reduce_sum((i + 1.0) * p**3) for i, p in enumerate(parts)])

    vector = layout(EDGES).flatten(make_values(EDGES))
    with tf.GradientTape() as outer:
        outer.watch(vector)
        with tf.GradientTape() as inner:
            inner.watch(vector)
            # There and back, and there again.
            parts = layout(EDGES).unflatten(vector)
            value = loss(layout(EDGES).unflatten(layout(EDGES).flatten(parts)))
        gradient = inner.gradient(value, vector)
    second = outer.gradient(gradient, vector)
    sizes = [np.prod(shape, dtype=int) for shape in EDGES]
    weights = np.repeat(np.arange(1.0, len(EDGES) + 1), sizes)
    np.testing.assert_allclose(gradient, 3 * weights * vector.numpy() ** 2, rtol=1e-5)
    np.testing.assert_allclose(second, 6 * weights * vector.numpy(), rtol=1e-5)


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
