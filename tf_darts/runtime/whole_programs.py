"""Derivatives as one program of the compiler XLA each, in place of TensorFlow's kernels in turn."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_darts.runtime import graph_store
from tf_darts.runtime.console import warn
from tf_darts.runtime.lean_graphs import lean

XLA = ("auto", "off", "step")
_step = False


def set_xla(name: str) -> None:
    """Makes one program of every derivative from now on ("step"), or none ("off", "auto").

    "auto" is "off" on GPUs too: nothing has been measured there, and where XLA's compiler ends the
    process, as it did once on convolutional searches, nobody could catch it.

    Args:
      name: one of `XLA`.
    """
    global _step
    _step = {"auto": False, "off": False, "step": True}[name]


def compiles_steps() -> bool:
    """Whether derivatives are made one program each."""
    return _step


def compiled(
    function: Callable[..., Any], signature: tuple[Any, ...], name: str = ""
) -> Callable[..., Any]:
    """A compiled `function`: one program of XLA where that is asked for and can be had.

    Args:
      function: of tensors, pure, and called where no tape looks on.
      signature: `tf.TensorSpec`s of its arguments.
      name: tells it from others of its run, where graphs are kept (`graph_store`); "": it is not.
    """
    function = lean(function, closed=True)
    kernels = tf.function(function, input_signature=signature, autograph=False)
    if not _step:
        return graph_store.kept(kernels, name)
    return _WholeProgram(
        tf.function(function, input_signature=signature, autograph=False, jit_compile=True), kernels
    )


def trace(function: Callable[..., Any]) -> None:
    """Makes the graph of a function of `compiled`, where that can be done without a call.

    A whole program's cannot, nor that of several replicas; nothing is done for them, nor where
    functions run eagerly.
    """
    traces = getattr(function, "get_concrete_function", None)
    if traces is not None and not tf.config.functions_run_eagerly():
        traces()


class _WholeProgram:
    """A program, and the kernels that are taken where XLA does not take it."""

    def __init__(self, program: Callable[..., Any], kernels: Callable[..., Any]) -> None:
        self._program, self._kernels, self._fails = program, kernels, False

    def __call__(self, *arguments: Any) -> Any:
        if self._fails:
            return self._kernels(*arguments)
        try:
            return self._program(*arguments)
        except tf.errors.ResourceExhaustedError:
            raise
        # The second is what tracing says of loops that have no bound.
        except (tf.errors.OpError, ValueError) as error:
            self._fail(error)
        return self._kernels(*arguments)

    def _fail(self, error: Exception) -> None:
        """Says why, the first time, and lets no other derivative be tried in vain."""
        self._fails = True
        if _step:
            reason = str(getattr(error, "message", error)).strip().splitlines()[0][:200]
            warn(
                f"tf_darts: --xla=step: XLA cannot compile a derivative ({reason}), so TensorFlow's"
                " kernels compute it and all that is compiled later, as by --xla=off."
            )
        set_xla("off")
