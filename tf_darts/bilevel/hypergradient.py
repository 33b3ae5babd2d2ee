"""The architecture gradient ∇_α L_val(w*(α), α): equations 5 to 8, as functions of two losses.

Nothing here knows a model: it is given the two losses, the point (w, α) and the step that the
weight optimiser would take. Three estimates, all returning a `Hypergradient`; what the rest of the
project must know of each is in `config/hypergradients.py`, by which others can be added:

- `first_order`: ξ = 0, the gradient is ∇_α L_val(w, α).
- `finite_difference`: eq. 7 with the matrix-vector product by eq. 8, the paper's second order.
- `exact`: eq. 7 with the same product by differentiating twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.bilevel.loss import Gradients, Loss
from tf_darts.spaces.supernet import Alphas, Weights

# (∇_w L_train) -> (w', the factor with which the gradient entered it). The factor is ξ·clip, with
# Nesterov's momentum μ ξ·clip·(1+μ): `WeightOptimizer.reach`.
Unroll = Callable[[Weights], tuple[Weights, tf.Tensor]]


class Hypergradient(NamedTuple):
    """dα and what was met on the way.

    Attributes:
      gradient: the estimate of ∇_α L_val, of α's structure.
      validation_loss: L_val at the weights where it was taken (w, or w' when unrolled).
      auxiliary: what the validation loss left behind there.
      direct: ∇_α L_val(w', α); for first order the gradient itself.
      implicit: ∇²_{α,w} L_train · ∇_{w'} L_val, of α's structure; zeros for first order.
      epsilon: ε of eq. 8; zero where it is not used.
    """

    gradient: Alphas
    validation_loss: tf.Tensor
    auxiliary: Any
    direct: Alphas
    implicit: Alphas
    epsilon: tf.Tensor


def first_order(
    train_loss: Loss, validation_loss: Loss, weights: Weights, alphas: Alphas, unroll: Unroll
) -> Hypergradient:
    """∇_α L_val(w, α): the case ξ = 0, where nothing is unrolled."""
    del train_loss, unroll
    return _direct(validation_loss.gradients(weights, alphas, of_weights=False), alphas)


def estimated(
    alphas: Alphas,
    validation: Gradients,
    implicit: Sequence[tf.Tensor] | None = None,
    factor: tf.Tensor | float = 1.0,
) -> Hypergradient:
    """Eq. 7 of its two terms: ∇_α L_val - factor·implicit.

    Args:
      alphas: the architecture parameters.
      validation: of the validation loss, with its gradients by α.
      implicit: ∇²_{α,w} L_train · v or an estimate of it, flat; None: nothing is unrolled.
      factor: as `unroll` gives it.
    """
    partial = _direct(validation, alphas)
    if implicit is None:
        return partial
    factor = tf.convert_to_tensor(factor, validation.value.dtype)
    return _subtract_implicit(partial, list(implicit), factor, partial.epsilon)


def _direct(validation: Gradients, alphas: Alphas) -> Hypergradient:
    """Eq. 7's first term alone."""
    gradient = tf.nest.pack_sequence_as(alphas, validation.of_alphas)
    zeros = tf.nest.map_structure(tf.zeros_like, gradient)
    epsilon = tf.zeros([], validation.value.dtype)
    value, auxiliary = validation.value, validation.auxiliary
    return Hypergradient(gradient, value, auxiliary, gradient, zeros, epsilon)


def _unrolled(
    train_loss: Loss, validation_loss: Loss, weights: Weights, alphas: Alphas, unroll: Unroll
) -> tuple[Hypergradient, list[tf.Tensor], tf.Tensor]:
    """Eq. 7's first term at w', the vector v = ∇_{w'} L_val(w', α), and `unroll`'s factor."""
    train = train_loss.gradients(weights, alphas, of_alphas=False)
    unrolled_weights, factor = unroll(train.of_weights)
    validation = validation_loss.gradients(unrolled_weights, alphas)
    return _direct(validation, alphas), validation.of_weights, factor


def _subtract_implicit(
    partial: Hypergradient, implicit: list[tf.Tensor], factor: tf.Tensor, epsilon: tf.Tensor
) -> Hypergradient:
    """Eq. 7: direct - factor·implicit."""
    implicit = tf.nest.pack_sequence_as(partial.direct, implicit)
    gradient = tf.nest.map_structure(lambda d, i: d - factor * i, partial.direct, implicit)
    return partial._replace(gradient=gradient, implicit=implicit, epsilon=epsilon)


def finite_difference(
    train_loss: Loss,
    validation_loss: Loss,
    weights: Weights,
    alphas: Alphas,
    unroll: Unroll,
    radius: float = 0.01,
) -> Hypergradient:
    """Eq. 7 with eq. 8: a central difference along v with ε = radius / ‖v‖₂.

    `train_loss` is evaluated at w, w + εv and w - εv. It must use the same random masks each time
    (common random numbers), otherwise the difference is mostly the masks' noise over 2ε.
    """
    partial, vector, factor = _unrolled(train_loss, validation_loss, weights, alphas, unroll)
    # Where v is 0, so is the second term: no difference is taken, and nothing divided.
    epsilon = tf.math.divide_no_nan(radius, tf.linalg.global_norm(vector))
    sides: list[list[tf.Tensor]] = []
    for sign in (1.0, -1.0):
        # One after the other: side by side they need twice the memory and gain no time.
        with tf.control_dependencies([g for side in sides for g in side]):
            shifted = [w + sign * epsilon * v for w, v in zip(weights, vector, strict=True)]
        side = train_loss.precise.gradients(shifted, alphas, of_weights=False)
        sides.append(side.of_alphas)
    plus, minus = sides
    implicit = [
        tf.math.divide_no_nan(p - m, 2.0 * epsilon) for p, m in zip(plus, minus, strict=True)
    ]
    return _subtract_implicit(partial, implicit, factor, epsilon)


def exact(
    train_loss: Loss, validation_loss: Loss, weights: Weights, alphas: Alphas, unroll: Unroll
) -> Hypergradient:
    """Eq. 7 with ∇²_{α,w} L_train · v = ∇_α ⟨∇_w L_train(w, α), v⟩ by nested tapes.

    `train_loss` must be differentiable twice.
    """
    partial, vector, factor = _unrolled(train_loss, validation_loss, weights, alphas, unroll)
    implicit = train_loss.mixed_product(weights, alphas, vector)
    return _subtract_implicit(partial, implicit, factor, partial.epsilon)
