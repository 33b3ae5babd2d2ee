"""A loss of the weights and the architecture, L(w, α), that differentiates itself.

This is all that the hypergradient knows of a loss. `Loss` takes its derivatives by tapes, wherever
it is asked; a subclass may take them otherwise: `compiled_loss.CompiledLoss` by compiled functions,
`scaled_loss.ScaledLoss` by way of a multiple of the loss.
"""

import abc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.runtime.lean_graphs import backward_pass
from tf_darts.spaces.constant_weights import constant_weights
from tf_darts.spaces.supernet import Alphas, Weights


class Gradients(NamedTuple):
    """A loss and its gradients at one point.

    Attributes:
      value: L(w, α), scalar.
      auxiliary: whatever else the evaluation leaves behind.
      of_weights: ∇_w L, of w's structure; [] where it is not wanted.
      of_alphas: ∇_α L, flat; [] where it is not wanted.
    """

    value: tf.Tensor
    auxiliary: Any
    of_weights: list[tf.Tensor]
    of_alphas: list[tf.Tensor]


class Loss(abc.ABC):
    """A scalar L(w, α), always of the same batch, and under the same random masks."""

    @abc.abstractmethod
    def value(self, weights: Weights, alphas: Alphas) -> tuple[tf.Tensor, Any]:
        """L(w, α), and whatever else the evaluation leaves behind."""

    def gradients(
        self, weights: Weights, alphas: Alphas, *, of_weights: bool = True, of_alphas: bool = True
    ) -> Gradients:
        """The loss, ∇_w and ∇_α: zeros where the loss does not depend on something."""
        weights = list(weights)
        sources = [
            *(weights if of_weights else []),
            *(tf.nest.flatten(alphas) if of_alphas else []),
        ]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            with constant_weights(not of_weights):
                value, auxiliary = self.value(weights, alphas)
        gradients = _gradients(value, tape, sources)
        cut = len(weights) if of_weights else 0
        return Gradients(value, auxiliary, gradients[:cut], gradients[cut:])

    def mixed_product(
        self, weights: Weights, alphas: Alphas, vector: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """∇²_{α,w} L · v = ∇_α ⟨∇_w L(w, α), v⟩ (flat) by nested tapes, for a v like w."""
        weights, flat = list(weights), tf.nest.flatten(alphas)
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            outer.watch(flat)
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(weights)
                value, _ = self.value(weights, alphas)
            slopes = zip(_gradients(value, inner, weights), vector, strict=True)
            product = tf.add_n([tf.reduce_sum(g * tf.stop_gradient(v)) for g, v in slopes])
        return _gradients(product, outer, flat)

    def hessian_product(
        self, weights: Weights, alphas: Alphas, vector: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """∇²_α L(w, α) · v at fixed w (flat) by nested tapes, for a v like α, flat."""
        weights, flat = list(weights), tf.nest.flatten(alphas)
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            outer.watch(flat)
            slopes = self.gradients(weights, alphas, of_weights=False).of_alphas
            pairs = zip(slopes, vector, strict=True)
            product = tf.add_n([tf.reduce_sum(g * tf.stop_gradient(v)) for g, v in pairs])
        return _gradients(product, outer, flat)

    def times(self, factor: tf.Variable) -> "Loss":
        """The loss times a factor, which is read whenever the multiple is evaluated."""

        def multiple(weights: Weights, alphas: Alphas) -> tuple[tf.Tensor, Any]:
            value, auxiliary = self.value(weights, alphas)
            return value * factor, auxiliary

        return PlainLoss(multiple)

    @property
    def precise(self) -> "Loss":
        """The same loss, fit for a difference of nearly equal gradients."""
        return self


class PlainLoss(Loss):
    """A function (w, α) -> (scalar loss, whatever else the evaluation leaves behind)."""

    def __init__(self, function: Callable[[Weights, Alphas], tuple[tf.Tensor, Any]]) -> None:
        self._function = function

    def value(self, weights: Weights, alphas: Alphas) -> tuple[tf.Tensor, Any]:
        return self._function(weights, alphas)


def _gradients(
    value: tf.Tensor, tape: tf.GradientTape, sources: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Dense gradients, zeros where the value does not depend on a source."""
    zero = tf.UnconnectedGradients.ZERO
    with backward_pass():
        gradients = tape.gradient(value, sources, unconnected_gradients=zero)
    return [tf.convert_to_tensor(gradient) for gradient in gradients]
