"""Computing again, in the backward pass, what would have to be kept from the forward pass."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient

Function = Callable[[Sequence[tf.Tensor]], Sequence[tf.Tensor]]


def rematerialized(
    function: Function, arguments: Sequence[tf.Tensor], order: int = 2
) -> list[tf.Tensor]:
    """`function(arguments)`, of which only the arguments are kept for the gradient.

    Unlike `tf.recompute_grad` it reads no variables: all that has a gradient is an argument. The
    second computation waits for the gradient to come to it; otherwise TensorFlow may merge it
    with the first, or run it long before its turn, and keep what it gives.

    Args:
      function: pure; it is traced for the value, and again for the gradient.
      arguments: of floats; what has no gradient the function may take from around it.
      order: how many derivatives are taken by computing again; there are none beyond.
    """

    @custom_gradient
    def run(*inputs: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
        # Nothing in here is for a tape to record: `gradient` says it all.
        outputs = list(function([tf.stop_gradient(x) for x in inputs]))

        def gradient(*upstream: tf.Tensor) -> list[tf.Tensor]:
            tensors = [*inputs, *upstream]
            if order == 1:
                return _slopes(function, tensors, len(inputs))
            return rematerialized(lambda x: _slopes(function, x, len(inputs)), tensors, order - 1)

        return outputs, gradient

    return list(run(*arguments))


def _slopes(function: Function, tensors: Sequence[tf.Tensor], count: int) -> list[tf.Tensor]:
    """The gradient by the first `count` tensors, the others being the outputs' slopes."""
    inputs, upstream = tensors[:count], tensors[count:]
    with tf.control_dependencies(upstream):
        copies = [tf.identity(x) for x in inputs]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(copies)
        outputs = function(copies)
    zero = tf.UnconnectedGradients.ZERO
    slopes = tape.gradient(list(outputs), copies, list(upstream), unconnected_gradients=zero)
    return [tf.convert_to_tensor(slope) for slope in slopes]
