import numpy as np
import tensorflow as tf

from tf_darts.optimization.sums import all_finite, norms


def test_norms_are_of_all_tensors_of_a_structure():
    found = norms({"one": [tf.constant([3.0]), {"a": tf.constant([[4.0]])}], "none": tf.zeros([2])})
    assert {name: float(norm) for name, norm in found.items()} == {"one": 5.0, "none": 0.0}


def test_one_number_that_is_none_is_found():
    numbers = {"a": tf.constant(1.0), "b": {"c": tf.constant(-2.0)}}
    assert all_finite(numbers) == 1.0
    for bad in (np.nan, np.inf, -np.inf):
        assert all_finite(numbers | {"b": {"c": tf.constant(bad)}}) == 0.0
