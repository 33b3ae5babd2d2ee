"""The architecture gradient ∇_α L_val(w*(α), α): equations 5 to 8, as functions of functions.

Nothing here knows a model: it is given the two losses, the point (w, α) and the step that the
weight optimiser would take. Three estimates, all returning a `Hypergradient`:

- `first_order`: ξ = 0, the gradient is ∇_α L_val(w, α).
- `finite_difference`: eq. 7 with the matrix-vector product by eq. 8, the paper's second order.
- `exact`: eq. 7 with the same product by differentiating twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.spaces.supernet import Alphas, Weights

# (w, α) -> (scalar loss, whatever else the evaluation leaves behind)
Loss = Callable[[Weights, Alphas], tuple[tf.Tensor, Any]]
# A loss's value, its auxiliary, ∇_w and ∇_α (flat); [] for one that is not wanted.
Gradients = tuple[tf.Tensor, Any, list[tf.Tensor], list[tf.Tensor]]
# (∇_w L_train) -> (w', the factor ξ·clip with which the gradient entered it)
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


def gradients_of(
    loss: tf.Tensor, tape: tf.GradientTape, sources: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Dense gradients, zeros where the loss does not depend on a source."""
    gradients = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def value_and_gradients(
    loss: Loss,
    weights: Weights,
    alphas: Alphas,
    *,
    of_weights: bool = True,
    of_alphas: bool = True,
) -> Gradients:
    """The loss, its auxiliary, ∇_w and ∇_α (flat); [] for one that is not wanted."""
    weights = list(weights)
    wanted = [*(weights if of_weights else []), *(tf.nest.flatten(alphas) if of_alphas else [])]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(wanted)
        value, auxiliary = loss(weights, alphas)
    gradients = gradients_of(value, tape, wanted)
    cut = len(weights) if of_weights else 0
    return value, auxiliary, gradients[:cut], gradients[cut:]


def mixed_product(
    loss: Loss, weights: Weights, alphas: Alphas, vector: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """∇²_{α,w} L · v = ∇_α ⟨∇_w L(w, α), v⟩ (flat) by nested tapes, for a v of w's structure."""
    weights, flat = list(weights), tf.nest.flatten(alphas)
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(flat)
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(weights)
            value, _ = loss(weights, alphas)
        gradient = gradients_of(value, inner, weights)
        product = tf.add_n(
            [tf.reduce_sum(g * tf.stop_gradient(v)) for g, v in zip(gradient, vector, strict=True)]
        )
    return gradients_of(product, outer, flat)


class Derivatives(NamedTuple):
    """How derivatives are taken; somebody who takes them often gives compiled functions.

    Attributes:
      gradients: as `value_and_gradients`.
      mixed_product: as the function.
      sides: as `gradients`, at the two sides of the finite difference, which is a difference of
        nearly equal numbers; None: `gradients`.
    """

    gradients: Callable[..., Gradients] = value_and_gradients
    mixed_product: Callable[..., list[tf.Tensor]] = mixed_product
    sides: Callable[..., Gradients] | None = None


HERE = Derivatives()  # traced wherever they are called


def first_order(
    validation_loss: Loss,
    weights: Weights,
    alphas: Alphas,
    derivatives: Derivatives = HERE,
) -> Hypergradient:
    """∇_α L_val(w, α): the case ξ = 0."""
    value, auxiliary, _, gradient = derivatives.gradients(
        validation_loss, weights, alphas, of_weights=False
    )
    gradient = tf.nest.pack_sequence_as(alphas, gradient)
    nothing = tf.nest.map_structure(tf.zeros_like, gradient)
    return Hypergradient(gradient, value, auxiliary, gradient, nothing, tf.zeros([], value.dtype))


def _unrolled(
    train_loss: Loss,
    validation_loss: Loss,
    weights: Weights,
    alphas: Alphas,
    unroll: Unroll,
    derivatives: Derivatives,
) -> tuple[Hypergradient, list[tf.Tensor], tf.Tensor]:
    """Eq. 7's first term at w', the vector v = ∇_{w'} L_val(w', α), and the factor ξ·clip."""
    _, _, train_gradient, _ = derivatives.gradients(train_loss, weights, alphas, of_alphas=False)
    moved, factor = unroll(train_gradient)
    value, auxiliary, vector, direct = derivatives.gradients(validation_loss, moved, alphas)
    direct = tf.nest.pack_sequence_as(alphas, direct)
    nothing = tf.nest.map_structure(tf.zeros_like, direct)
    partial = Hypergradient(direct, value, auxiliary, direct, nothing, tf.zeros([], value.dtype))
    return partial, vector, factor


def _subtract_implicit(
    partial: Hypergradient, implicit: list[tf.Tensor], factor: tf.Tensor, epsilon: tf.Tensor
) -> Hypergradient:
    """Eq. 7: direct - ξ·clip·implicit."""
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
    derivatives: Derivatives = HERE,
) -> Hypergradient:
    """Eq. 7 with eq. 8: a central difference along v with ε = radius / ‖v‖₂.

    `train_loss` is evaluated at w, w + εv and w - εv. It must use the same random masks each time
    (common random numbers), otherwise the difference is mostly the masks' noise over 2ε.
    """
    partial, vector, factor = _unrolled(
        train_loss, validation_loss, weights, alphas, unroll, derivatives
    )
    epsilon = radius / tf.linalg.global_norm(vector)
    sides: list[list[tf.Tensor]] = []
    gradients_at = derivatives.sides or derivatives.gradients
    for sign in (1.0, -1.0):
        # One after the other: side by side they need twice the memory and gain no time.
        with tf.control_dependencies([g for side in sides for g in side]):
            shifted = [w + sign * epsilon * v for w, v in zip(weights, vector, strict=True)]
        sides.append(gradients_at(train_loss, shifted, alphas, of_weights=False)[3])
    plus, minus = sides
    implicit = [(p - m) / (2.0 * epsilon) for p, m in zip(plus, minus, strict=True)]
    return _subtract_implicit(partial, implicit, factor, epsilon)


def exact(
    train_loss: Loss,
    validation_loss: Loss,
    weights: Weights,
    alphas: Alphas,
    unroll: Unroll,
    derivatives: Derivatives = HERE,
) -> Hypergradient:
    """Eq. 7 with ∇²_{α,w} L_train · v = ∇_α ⟨∇_w L_train(w, α), v⟩ by nested tapes.

    `train_loss` must be differentiable twice.
    """
    partial, vector, factor = _unrolled(
        train_loss, validation_loss, weights, alphas, unroll, derivatives
    )
    implicit = derivatives.mixed_product(train_loss, weights, alphas, vector)
    return _subtract_implicit(partial, implicit, factor, partial.epsilon)


def estimate(
    kind: str,
    train_loss: Loss,
    validation_loss: Loss,
    weights: Weights,
    alphas: Alphas,
    unroll: Unroll,
    radius: float = 0.01,
    derivatives: Derivatives = HERE,
) -> Hypergradient:
    """The estimate named `kind`: first_order, finite_difference (which takes `radius`) or exact."""
    if kind == "first_order":
        return first_order(validation_loss, weights, alphas, derivatives)
    losses = train_loss, validation_loss
    if kind == "finite_difference":
        return finite_difference(*losses, weights, alphas, unroll, radius, derivatives)
    if kind == "exact":
        return exact(*losses, weights, alphas, unroll, derivatives)
    raise ValueError(f"unknown hypergradient {kind!r}")
