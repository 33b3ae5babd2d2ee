"""What the checks compare, and how they say what they found."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.runtime.precision import Precision, using


def expect(condition: Any, sentence: str) -> None:
    """Raises `AssertionError` with the sentence where the condition is not true."""
    if not condition:
        raise AssertionError(sentence)


def expect_equal(actual: Any, expected: Any, what: str, tolerance: float = 1e-12) -> None:
    """Compares two structures of tensors, number by number.

    Args:
      actual: a structure of tensors.
      expected: one like it.
      what: the beginning of the sentence, up to the values.
      tolerance: relative, and absolute for numbers below 1; sums of several threads differ by it.

    Raises:
      AssertionError: they differ in structure, shape, type or numbers.
    """
    pairs = zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True)
    for value, reference in (map(keras.ops.convert_to_numpy, pair) for pair in pairs):
        forms = [f"{tensor.dtype} {tensor.shape}" for tensor in (value, reference)]
        expect(forms[0] == forms[1], f"{what}: {forms[0]} in place of {forms[1]}.")
        # Not far from zero is the same, too; NaN is the same as NaN.
        if np.allclose(value, reference, rtol=tolerance, atol=tolerance, equal_nan=True):
            continue
        place = np.unravel_index(np.argmax(np.abs(value - reference)), value.shape)
        raise AssertionError(f"{what}: {value[place]} in place of {reference[place]}.")


def differ(actual: Any, expected: Any) -> bool:
    """Whether two structures of tensors of the same shapes differ by more than rounding."""
    pairs = zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True)
    values = (map(keras.ops.convert_to_numpy, pair) for pair in pairs)
    return any(
        not np.allclose(value, reference, rtol=1e-9, atol=1e-9) for value, reference in values
    )


@contextlib.contextmanager
def unchanged(variables: Sequence[keras.Variable], what: str) -> Iterator[None]:
    """Raises `AssertionError` where a variable has another value at the end than at the start.

    Args:
      variables: whose values are compared bit by bit.
      what: says who must not change them.
    """
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
    yield
    for variable, value in zip(variables, before, strict=True):
        equal = np.array_equal(keras.ops.convert_to_numpy(variable), value, equal_nan=True)
        expect(equal, f"{what} assigns the variable {variable.path!r}; it must assign none.")


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Inside, what is made and computed is float64: differences of losses are no rounding there."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        with using(Precision.from_name("float64")):
            yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
