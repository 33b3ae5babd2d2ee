"""Long lists of tensors, joined and cut in two levels: what one operation gives."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.runtime import long_lists


@pytest.mark.parametrize("count", [1, 2, 32, 33, 64, 1025, 1100])
def test_as_one_operation(count):
    sizes = [i % 4 + 1 for i in range(count)]
    vector = tf.range(sum(sizes))
    parts = long_lists.split(vector, sizes)
    assert [part.shape[0] for part in parts] == sizes
    np.testing.assert_array_equal(long_lists.concat(parts), vector)
    ends = np.cumsum(sizes)
    np.testing.assert_array_equal(parts[-1], np.arange(ends[-1] - sizes[-1], ends[-1]))


def test_no_operation_is_wide():
    function = tf.function(
        lambda x: long_lists.concat(long_lists.split(x, [1] * 1100)), autograph=False
    )
    graph = function.get_concrete_function(tf.TensorSpec([1100])).graph
    widths = [max(len(o.inputs), len(o.outputs)) for o in graph.get_operations()]
    assert max(widths) <= long_lists.GROUP + 3  # the axis, and an input of sizes


def test_parts_know_their_vector_until_they_leave_a_function():
    vectors = []

    @tf.function(autograph=False)
    def run(vector):
        parts = long_lists.Parts(long_lists.split(vector, [1, 2, 3]), vector)
        vectors.append(parts.vector is vector)
        return parts

    parts = run(tf.range(6))
    assert vectors == [True] and getattr(parts, "vector", None) is None
    assert [part.numpy().tolist() for part in parts] == [[0], [1, 2], [3, 4, 5]]
