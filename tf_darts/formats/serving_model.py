"""What a served network answers: functions of tensors by name, with an example request each."""

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.formats.refusals import ROWS, check_batch, shape_in_words

Request = Mapping[str, np.ndarray]
DEFAULT = "serving_default"  # what TF Serving takes where a request names none


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
    """One function that a server offers.

    A request whose inputs have other shapes, or too many rows, is refused before the function is
    called; what else it may not hold, the function refuses by `tf_darts.formats.refusals`.

    Attributes:
      function: takes the inputs by name, and returns the outputs by name. The first axis of all of
        them is the batch.
      inputs: by name; the batch is None.
      examples: requests that are allowed: a server warms up with them, the export is checked with
        them.
      rows: the most that one request may have.
      limits: of what else is bounded, by input, for people.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: Mapping[str, tf.TensorSpec]
    examples: tuple[Request, ...]
    rows: int = ROWS
    limits: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def concrete(self) -> Any:
        """The function traced for its inputs, as servers run it: it refuses what is not allowed."""
        return self._traced(
            lambda **inputs: self.function(**check_batch(inputs, self.inputs, self.rows))
        )

    @functools.cached_property
    def unguarded(self) -> Any:
        """The function traced for its inputs, which refuses nothing of itself."""
        return self._traced(self.function)

    def _traced(self, function: Callable[..., dict[str, tf.Tensor]]) -> Any:
        specs = {
            name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in self.inputs.items()
        }
        return tf.function(function, autograph=False).get_concrete_function(**specs)

    @property
    def types(self) -> dict[str, dict[str, str]]:
        """The types and shapes of inputs and outputs, for people."""
        return self._types(self.unguarded)

    def _types(self, traced: Any) -> dict[str, dict[str, str]]:
        sides = {"inputs": self.inputs, "outputs": traced.structured_outputs}
        return {
            side: {
                name: f"{spec.dtype.name} {shape_in_words(spec)}"
                for name, spec in sorted(specs.items())
            }
            for side, specs in sides.items()
        }

    @property
    def description(self) -> dict[str, dict[str, str]]:
        """`types`, and what a request may hold."""
        limits = {"rows": f"1 to {self.rows:,}", **self.limits}
        return {**self._types(self.concrete), "limits": limits}

    def tensors(self, request: Request) -> dict[str, tf.Tensor]:
        """A request as what `function` takes."""
        return {name: tf.constant(request[name], spec.dtype) for name, spec in self.inputs.items()}


class ServingModel(tf.Module, abc.ABC):
    """A trained network as a client meets it.

    Each space has a class of its own (`ImageServing`, `LanguageServing`); it is given the network
    as plain functions, so that the network that is exported and the one that was trained can be
    asked the same.
    """

    @abc.abstractmethod
    def signatures(self) -> dict[str, Signature]:
        """The functions by name; `DEFAULT` is one of them."""

    def portable(self) -> Signature:
        """The one function that small devices run, in plain arithmetic; raises `UserError`."""
        raise UserError(
            "--format=litert and onnx are for image classifiers; leave --format out for this"
            " network."
        )

    @abc.abstractmethod
    def client_info(self) -> dict[str, Any]:
        """What a client must know beside the signatures, as JSON types."""
