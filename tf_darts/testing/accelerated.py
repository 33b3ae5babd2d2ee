"""Whether a fast form is its layer: in values, and in derivatives of both orders."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from tf_darts.spaces import fast_forms
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.draws import drawn_by
from tf_darts.testing.comparison import expect, float64
from tf_darts.testing.derivatives import agree, gradients, second_derivatives

# Relative to each tensor's norm, or to a thousandth of the largest one's.
TOLERANCES = {"float64": 1e-11, "float32": 1e-4}
LEAST = 1e-3


class Case(NamedTuple):
    """A toy layer and how it is called.

    Attributes:
      layer: it is built.
      call: a function of the inputs (and mixing weights), which are differentiated; it calls the
        layer and gives one tensor.
      inputs: these.
    """

    layer: keras.layers.Layer
    call: Callable[..., tf.Tensor]
    inputs: Sequence[tf.Tensor]

    @property
    def arguments(self) -> list[tf.Tensor]:
        """The inputs, then the trainable weights."""
        return [*self.inputs, *(weight.value for weight in self.layer.trainable_variables)]

    @property
    def names(self) -> list[str]:
        """Of the arguments, for people."""
        inputs = [f"input {i}" for i in range(len(self.inputs))]
        return [*inputs, *(weight.path for weight in self.layer.trainable_variables)]

    def at(self, *arguments: tf.Tensor) -> tf.Tensor:
        """The layer's result at these `arguments`; nothing is assigned, the same is drawn."""
        count = len(self.inputs)
        mapping = zip(self.layer.trainable_variables, arguments[count:], strict=True)
        scope = keras.StatelessScope(state_mapping=list(mapping))
        with scope, StatisticsLedger(), drawn_by(tf.constant([1, 2])):
            return self.call(*arguments[:count])


def check_accelerated(
    layer: type,
    make: Callable[[str], Case],
    *,
    types: Sequence[str] = ("float32", "float64"),
    tolerances: Mapping[str, float] = TOLERANCES,
) -> None:
    """Holds the fast form of a layer class to the layer's own `call`.

    Args:
      layer: the class for which the form is registered (`spaces/fast_forms.py`).
      make: a `Case` in a type, "float32" or "float64"; what it makes by default is of that type.
      types: in which the form applies; in the other it must not be taken.
      tolerances: by type, how far the two may lie apart, relative to each tensor's norm; ten times
        as far for second derivatives.

    Raises:
      AssertionError: one sentence that names the class, the type and what differs.
    """
    forms = {form.layer: form for form in fast_forms.registered()}
    expect(layer in forms, f"{layer.__name__} has no fast form.")
    expect(forms[layer].condition, f"The fast form of {layer.__name__} says no condition.")
    for dtype, tolerance in tolerances.items():
        with float64() if dtype == "float64" else contextlib.nullcontext():
            _check(forms[layer], make(dtype), dtype, dtype in types, tolerance)


def _check(
    form: fast_forms.FastForm, case: Case, dtype: str, applies: bool, tolerance: float
) -> None:
    name = f"The fast form of {form.layer.__name__} in {dtype}"
    with fast_forms.recorded() as recorded_layers:
        value, slopes = gradients(case.at, case.arguments)
    verdict = "is not taken" if applies else "is taken, although it should not apply"
    expect((form.layer in recorded_layers) == applies, f"{name} {verdict}.")
    second = None
    try:
        second = second_derivatives(case.at, case.arguments)
    except LookupError as error:
        expect(not form.second, f"{name} is said to have second derivatives, and refuses: {error}")
        expect("--accelerate=off" in str(error), f"{name} refuses without a way out: {error}")
    with fast_forms.without():
        clear_value, clear_slopes = gradients(case.at, case.arguments)
        clear_second = second_derivatives(case.at, case.arguments)
    agree([value], [clear_value], tolerance, what=f"{name} has other values")
    agree(slopes, clear_slopes, tolerance, LEAST, f"{name} has another gradient")
    if second is not None:
        agree(second, clear_second, 10 * tolerance, LEAST, f"{name} has other second derivatives")
