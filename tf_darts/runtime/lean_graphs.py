"""Graphs that are traced sooner and have fewer operations; what they compute is the same.

The first step of a search on images is a graph of 30,000 operations, which Python makes one by one.
Four in ten are constants, most of them shapes and axes that were there already; and each call of a
function has the shapes of all operations in it worked out anew, though the function knows them.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from tf_darts.runtime.garbage import without_collection

# All of TensorFlow's operations are made by it; a version of another leaves graphs as they are.
_METHOD = "_create_op_internal"
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# Larger constants are rare, and comparing them takes as long as making them.
_LARGEST = 1024
_enabled = True
_open: dict[int, "_LeanGraph"] = {}  # by the graph's number


def set_lean(on: bool) -> None:
    """Whether graphs are made lean from now on."""
    global _enabled
    _enabled = on


def lean(function: Callable[..., Any], *, closed: bool = False) -> Callable[..., Any]:
    """A function of tensors, which in a graph adds fewer operations to it.

    Args:
      function: any.
      closed: whether all who differentiate have their tape in it: no gradient is ever taken of the
        whole graph, as it is where a compiled function is called while a tape looks on.
    """

    @functools.wraps(function)
    def traced(*arguments: Any, **named: Any) -> Any:
        with lean_graph(closed=closed):
            return function(*arguments, **named)

    return traced


@contextlib.contextmanager
def lean_graph(*, closed: bool = False) -> Iterator[None]:
    """Inside, the graph that is being made gets each constant of integers once.

    Nor are shapes of calls worked out a second time, nor does Python look for what it might give
    free. Executed eagerly, or inside of itself, it changes nothing.

    Args:
      closed: see `lean`.
    """
    graph = tf.compat.v1.get_default_graph() if tf.inside_function() else None
    if not _enabled or graph is None or _of(graph) is not None:
        yield
        return
    _open[id(graph)] = made = _LeanGraph(graph, closed)
    try:
        with without_collection():
            yield
    finally:
        del _open[id(graph)]
        made.end()


@contextlib.contextmanager
def backward_pass() -> Iterator[None]:
    """Inside of `lean_graph`, where derivatives are taken: floats are shared too.

    Not elsewhere, since a tape that watches a constant would watch all that are equal to it.
    """
    made = _of(tf.compat.v1.get_default_graph()) if tf.inside_function() else None
    if made is None or made.shares_floats:
        yield
        return
    made.shares_floats = True
    try:
        yield
    finally:
        made.shares_floats = False


def constant(value: Any, dtype: Any) -> tf.Tensor:
    """`tf.constant`, shared in a lean graph by all who ask for it here: no tape may watch it."""
    with backward_pass():
        return tf.constant(value, dtype)


def is_closed() -> bool:
    """Whether of the graph that is being made only tapes in it take gradients, see `lean`."""
    made = _of(tf.compat.v1.get_default_graph()) if tf.inside_function() else None
    return made is not None and made.closed


def _of(graph: Any) -> "_LeanGraph | None":
    return _open.get(id(graph))


class _LeanGraph:
    """What a graph's way to make operations is, while it is made lean.

    Attributes:
      shares_floats: or else integers and truth values only.
      closed: see `lean`.
    """

    def __init__(self, graph: Any, closed: bool) -> None:
        self.shares_floats = False
        self.closed = closed
        self._graph = graph
        self._constants: dict[bytes, tf.Operation] = {}
        self._make = getattr(graph, _METHOD, None)
        if self._make is not None:
            setattr(graph, _METHOD, self._create)

    def end(self) -> None:
        """The graph makes operations as before."""
        if self._make is not None:
            delattr(self._graph, _METHOD)

    def _create(
        self,
        op_type: str,
        inputs: Any,
        dtypes: Any = None,
        input_types: Any = None,
        name: str | None = None,
        attrs: Any = None,
        *arguments: Any,
        **named: Any,
    ) -> tf.Operation:
        if op_type in _CALLS and attrs is not None:  # their shapes are set by who calls
            attrs = attrs | {"_disable_call_shape_inference": tf.compat.v1.AttrValue(b=True)}

        def make() -> tf.Operation:
            return self._make(
                op_type, inputs, dtypes, input_types, name, attrs, *arguments, **named
            )

        key = self._key(op_type, attrs)
        if key is None:
            return make()
        if key not in self._constants:
            operation = make()
            if operation.control_inputs:  # it waits for what others need not wait for
                return operation
            self._constants[key] = operation
        return self._constants[key]

    def _key(self, op_type: str, attrs: Any) -> bytes | None:
        """Equal for equal constants; None where an operation is not to be shared."""
        if op_type != "Const" or not attrs or attrs["value"].ByteSize() > _LARGEST:
            return None
        dtype = tf.as_dtype(attrs["dtype"].type)
        if not (self.shares_floats or dtype.is_integer or dtype.is_bool):
            return None
        return attrs["value"].SerializeToString()
