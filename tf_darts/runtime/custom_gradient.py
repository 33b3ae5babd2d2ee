"""`tf.custom_gradient` for graphs that are thrown away."""

import contextlib
import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from etils import epy

with epy.lazy_imports():  # of methods' files, which flags and --help load without TensorFlow
    import tensorflow as tf
    from tensorflow.python.eager import record  # there is no public way

    from tf_darts.runtime import lean_graphs

_COLLECTION = "tf_darts/custom_gradients"


def custom_gradient(
    function: Callable[..., Any], *, of_arguments: bool = False
) -> Callable[..., Any]:
    """`tf.custom_gradient`, but a graph that was traced with it can be given free.

    TensorFlow registers the gradient's function for ever, in each trace anew, and with it all that
    the function refers to: the whole graph. Here the graph itself has the function, and what is
    registered refers to neither.

    Args:
      function: of tensors; it returns a structure of tensors, and a function from what flows back
        into each of them to the arguments' gradients.
      of_arguments: whether all that this reads of the outside are the arguments: then what lies
        between arguments and results has no second derivatives, and needs no record. No result is
        an argument itself.
    """

    @functools.wraps(function)
    def decorated(*arguments: Any) -> Any:
        if tf.executing_eagerly():
            return tf.custom_gradient(function)(*arguments)
        if lean_graphs.is_closed():
            return _recorded(function, arguments, of_arguments)
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


def _recorded(function: Callable[..., Any], arguments: Sequence[Any], of_arguments: bool) -> Any:
    """What tapes in this graph take for the gradient, as TensorFlow has it of eager execution.

    Its way in graphs is for gradients of whole graphs too: it copies results and arguments, and
    makes zeros for the copies, which nobody reads: three to five operations more each time.
    """
    arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
    # Else with its operations, through which the gradient's own gradient may pass.
    with record.stop_recording() if of_arguments else contextlib.nullcontext():
        results, gradient = function(*arguments)
    flat = tf.nest.flatten(results)
    if not of_arguments:  # the same tensors would be recorded twice
        flat = [tf.raw_ops.Identity(input=result) for result in flat]

    def backward(*upstream: Any) -> list[Any]:
        return tf.nest.flatten(gradient(*upstream))

    record.record_operation("custom_gradient", flat, tf.nest.flatten(arguments), backward)
    return tf.nest.pack_sequence_as(results, flat)


def _forgetful(gradient: Callable[..., Any]) -> Callable[..., Any]:
    """`gradient`, while somebody else refers to it."""
    reference = weakref.ref(gradient)
    return lambda *upstream: reference()(*upstream)
