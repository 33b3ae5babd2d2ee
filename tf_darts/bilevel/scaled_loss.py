"""A loss whose gradients would underflow in float16, differentiated by way of a multiple of it.

What a supernet computes in 16 bits is its own affair (`runtime/precision.py`); what is done with
its gradients (clipping, the unrolled step, v, ε, the difference, the optimisers) is float32.
"""

from typing import Any

import tensorflow as tf

from tf_darts.bilevel.loss import Gradients, Loss
from tf_darts.optimization.loss_scale import LossScale
from tf_darts.spaces.supernet import Alphas, Weights


class ScaledLoss(Loss):
    """A loss whose derivatives are those of S times it, divided by S.

    Args:
      loss: the loss.
      loss_scale: S; where it makes a gradient overflow, it is halved and the gradient taken again.
    """

    def __init__(self, loss: Loss, loss_scale: LossScale) -> None:
        self._loss = loss
        self._multiple = loss.times(loss_scale.value)
        self._loss_scale = loss_scale

    def value(self, weights: Weights, alphas: Alphas) -> tuple[tf.Tensor, Any]:
        return self._loss.value(weights, alphas)

    def gradients(self, weights: Weights, alphas: Alphas, **selection: bool) -> Gradients:
        unscaled = self._loss_scale.unscaled

        def take() -> Gradients:
            value, auxiliary, *gradients = self._multiple.gradients(weights, alphas, **selection)
            return Gradients(unscaled([value])[0], auxiliary, *map(unscaled, gradients))

        def too_large(gradients: Gradients) -> bool:
            tensors = [*gradients.of_weights, *gradients.of_alphas]
            return bool(self._loss_scale.too_large(gradients.value, tensors))

        return self._loss_scale.retry_until_finite(take, too_large)

    def mixed_product(self, weights: Weights, alphas: Alphas, vector: Weights) -> list[tf.Tensor]:
        """See `Loss.mixed_product`: linear in the loss, so scaled as a gradient is."""
        finite_loss = tf.zeros([])  # the loss there was a number, or `vector` would not be
        return self._loss_scale.retry_until_finite(
            lambda: self._loss_scale.unscaled(
                self._multiple.mixed_product(weights, alphas, vector)
            ),
            lambda product: bool(self._loss_scale.too_large(finite_loss, product)),
        )

    @property
    def precise(self) -> Loss:
        return self._loss.precise  # without 16 bits there is nothing to scale


def scaled(loss: Loss, loss_scale: LossScale | None) -> Loss:
    """The loss, differentiated by way of `loss_scale` times it where there is one."""
    return loss if loss_scale is None else ScaledLoss(loss, loss_scale)
