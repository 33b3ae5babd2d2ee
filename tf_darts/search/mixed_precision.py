"""The derivatives of a search where products are computed in 16 bits.

What a supernet computes in 16 bits is its own affair (`runtime/precision.py`); what is done with
its gradients (clipping, the unrolled step, v, ε, the difference, the optimisers) is float32. Here:
which gradients are scaled, and which must not be computed in 16 bits at all.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_darts.optimization.loss_scale import LossScale
from tf_darts.runtime.precision import current
from tf_darts.runtime.replicas import Replicas
from tf_darts.search import hypergradient
from tf_darts.search.compiled import BatchLoss, CompiledDerivatives
from tf_darts.spaces.supernet import Alphas, Supernet, Weights


def compiled_derivatives(
    signature: tuple[Any, ...],
    supernet: Supernet,
    replicas: Replicas,
    loss_scale: LossScale | None,
) -> hypergradient.Derivatives:
    """The compiled derivatives of a supernet's `BatchLoss`es in the current precision.

    The two sides of the finite difference are computed in full: w + εv and w - εv differ by less
    than most weights' rounding to 16 bits, and so do their gradients (docs/performance.md).

    Args:
      signature: see `CompiledDerivatives`.
      supernet: whose losses they are.
      replicas: see `CompiledDerivatives`.
      loss_scale: multiplies the losses of all others; None: nothing does.
    """
    given = signature, supernet.joint_gradients, replicas, supernet.batch_axis
    compiled = CompiledDerivatives(*given)
    derivatives = hypergradient.Derivatives(compiled.gradients, compiled.mixed_product)
    if loss_scale is not None:
        scaled = ScaledDerivatives(derivatives, loss_scale)
        derivatives = hypergradient.Derivatives(scaled.gradients, scaled.mixed_product)
    if current().mixed:
        full = CompiledDerivatives(*given, current().full)
        derivatives = derivatives._replace(sides=full.gradients)
    return derivatives


class ScaledDerivatives:
    """`hypergradient.Derivatives` by way of a scaled loss; what comes out is not scaled.

    Args:
      inner: takes the derivatives of a `BatchLoss`.
      loss_scale: S; where it makes a gradient overflow, it is halved and the gradient taken again.
    """

    def __init__(self, inner: hypergradient.Derivatives, loss_scale: LossScale) -> None:
        self._inner = inner
        self._loss_scale = loss_scale

    def gradients(
        self, loss: BatchLoss, weights: Weights, alphas: Alphas, **wanted: bool
    ) -> hypergradient.Gradients:
        """See `hypergradient.value_and_gradients`."""
        scaled, unscaled = self._scaled(loss), self._loss_scale.unscaled

        def take() -> hypergradient.Gradients:
            value, auxiliary, *both = self._inner.gradients(scaled, weights, alphas, **wanted)
            return unscaled([value])[0], auxiliary, *map(unscaled, both)

        return self._loss_scale.settled(
            take, lambda r: bool(self._loss_scale.too_large(r[0], [*r[2], *r[3]]))
        )

    def mixed_product(
        self, loss: BatchLoss, weights: Weights, alphas: Alphas, vector: Weights
    ) -> list[tf.Tensor]:
        """See `hypergradient.mixed_product`: linear in the loss, so scaled as a gradient is."""
        scaled, unscaled = self._scaled(loss), self._loss_scale.unscaled
        good = tf.zeros([])  # the loss there was a number, or `vector` would not be
        return self._loss_scale.settled(
            lambda: unscaled(self._inner.mixed_product(scaled, weights, alphas, vector)),
            lambda product: bool(self._loss_scale.too_large(good, product)),
        )

    def _scaled(self, loss: BatchLoss) -> BatchLoss:
        evaluate: Callable[..., Any] = loss.evaluate

        def times_scale(*arguments: Any) -> tuple[tf.Tensor, Any]:
            value, remains = evaluate(*arguments)
            # Read wherever the compiled function runs: S may be another each time.
            return value * self._loss_scale.value, remains

        return dataclasses.replace(loss, evaluate=times_scale)
