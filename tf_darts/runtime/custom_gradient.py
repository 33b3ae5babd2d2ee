"""`tf.custom_gradient` for graphs that are thrown away."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

from etils import epy

with epy.lazy_imports():  # of methods' files, which flags and --help load without TensorFlow
    import tensorflow as tf

_COLLECTION = "tf_darts/custom_gradients"


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """`tf.custom_gradient`, but a graph that was traced with it can be given free.

    TensorFlow registers the gradient's function for ever, in each trace anew, and with it all that
    the function refers to: the whole graph. Here the graph itself has the function, and what is
    registered refers to neither.

    Args:
      function: of tensors; it returns a structure of tensors, and a function from what flows back
        into each of them to the arguments' gradients.
    """

    @functools.wraps(function)
    def decorated(*arguments: Any) -> Any:
        if tf.executing_eagerly():
            return tf.custom_gradient(function)(*arguments)
        structures: list[Any] = []
        registered: list[Any] = []

        def lent(*values: Any) -> tuple[list[Any], Callable[..., Any]]:
            results, gradient = function(*values)
            structures.append(results)
            registered.extend(tf.nest.flatten(results))
            tf.compat.v1.get_default_graph().add_to_collection(_COLLECTION, gradient)
            return registered, _forgetful(gradient)

        results = tf.custom_gradient(lent)(*arguments)
        # Of what is registered only the number is read again, when it is differentiated.
        registered[:] = [None] * len(registered)
        return tf.nest.pack_sequence_as(structures.pop(), results)

    return decorated


def _forgetful(gradient: Callable[..., Any]) -> Callable[..., Any]:
    """`gradient`, while somebody else refers to it."""
    reference = weakref.ref(gradient)
    return lambda *upstream: reference()(*upstream)
