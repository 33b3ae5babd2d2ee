"""What a served network answers: functions of tensors by name, with an example request each."""

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.errors import UserError

Request = Mapping[str, np.ndarray]
DEFAULT = "serving_default"  # what TF Serving takes where a request names none


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
    """One function that a server offers.

    Attributes:
      function: takes the inputs by name, and returns the outputs by name. The first axis of all of
        them is the batch.
      inputs: by name; the batch is None.
      examples: requests that are allowed: a server warms up with them, the export is checked with
        them.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: Mapping[str, tf.TensorSpec]
    examples: tuple[Request, ...]

    @functools.cached_property
    def concrete(self) -> Any:
        """The function traced for its inputs."""
        specs = {
            name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in self.inputs.items()
        }
        return tf.function(self.function, autograph=False).get_concrete_function(**specs)

    @property
    def description(self) -> dict[str, dict[str, str]]:
        """The types and shapes of inputs and outputs, for people."""
        sides = {"inputs": self.inputs, "outputs": self.concrete.structured_outputs}
        return {
            side: {name: _type(spec) for name, spec in sorted(specs.items())}
            for side, specs in sides.items()
        }

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
    def about(self) -> dict[str, Any]:
        """What a client must know beside the signatures, as JSON types."""


def _type(spec: tf.TensorSpec | tf.Tensor) -> str:
    sizes = ("?" if size is None else str(size) for size in spec.shape)
    return f"{spec.dtype.name} [{', '.join(sizes)}]"
