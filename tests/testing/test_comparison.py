"""What the checks compare."""

import keras
import numpy as np
import pytest

from tf_darts.runtime import precision
from tf_darts.testing.comparison import differ, expect_equal, float64, unchanged


def test_sentences_have_the_values():
    expect_equal({"a": np.ones(2)}, {"a": np.ones(2) + 1e-14}, "it is")
    expect_equal(np.float64(np.nan), np.float64(np.nan), "it is")
    with pytest.raises(AssertionError, match=r"^it is: 3.0 in place of 1.0.$"):
        expect_equal(np.array([1.0, 3.0]), np.array([1.0, 1.0]), "it is")
    with pytest.raises(AssertionError, match=r"float32 \(2,\) in place of float64 \(2,\)"):
        expect_equal(np.ones(2, np.float32), np.ones(2), "it is")


def test_rounding_is_no_difference():
    assert not differ(np.ones(2), np.ones(2) + 1e-12)
    assert differ([np.ones(2), np.ones(1)], [np.ones(2), np.zeros(1)])


def test_a_variable_that_changes_is_named():
    variables = [keras.Variable(1.0, name="still"), keras.Variable(1.0, name="moved")]
    with unchanged(variables, "it"):
        variables[1].assign(1.0)
    sentence = "it assigns the variable 'moved'"
    with pytest.raises(AssertionError, match=sentence), unchanged(variables, "it"):
        variables[1].assign(2.0)


def test_float64_ends():
    before = precision.current()
    with pytest.raises(KeyError), float64():
        assert keras.Variable([1.0], dtype=keras.config.floatx()).dtype == "float64"
        assert keras.layers.Dense(1).compute_dtype == "float64"
        raise KeyError
    assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"
    assert precision.current() == before
