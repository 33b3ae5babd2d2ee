"""The optimiser of w as pure functions: one formula for the real and for the unrolled step.

Keras optimisers assign variables and decouple the weight decay; the unrolled step
(docs/method.md section 2) must follow the real one exactly, so both come from here.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class WeightOptimizer:
    """SGD with momentum μ, weight decay λ added to the gradient, and clipping by global norm.

    Attributes:
      momentum: μ.
      weight_decay: λ.
      clip_norm: the largest global norm of a gradient; 0 means no clipping.
      nesterov: whether the momentum is Nesterov's (Sutskever et al., ICML 2013, as PyTorch has it).
    """

    momentum: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    nesterov: bool = False

    def clip_factor(self, norm: tf.Tensor) -> tf.Tensor:
        """min(1, clip / (norm + 1e-6)), a constant in every gradient."""
        if not self.clip_norm:
            return tf.ones_like(norm)
        return tf.stop_gradient(tf.minimum(self.clip_norm / (norm + 1e-6), 1.0))

    def step(
        self,
        weights: Sequence[tf.Tensor],
        velocities: Sequence[tf.Tensor],
        gradients: Sequence[tf.Tensor],
        factor: tf.Tensor,
        learning_rate: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """One step: d = factor·g + λ w, m' = μ m + d, w' = w - ξ m'; Nesterov: w - ξ (d + μ m').

        Args:
          weights: w.
          velocities: m, one for each weight; empty where there is no momentum.
          gradients: g, not clipped.
          factor: `clip_factor` of their global norm.
          learning_rate: ξ, scalar of the weights' dtype.

        Returns:
          w' and m' (empty where there is no momentum).
        """
        directions = [
            factor * g + self.weight_decay * w for g, w in zip(gradients, weights, strict=True)
        ]
        if not self.momentum:
            velocities = []
        else:
            velocities = [
                self.momentum * m + d for m, d in zip(velocities, directions, strict=True)
            ]
            if self.nesterov:
                directions = [
                    d + self.momentum * m for d, m in zip(directions, velocities, strict=True)
                ]
            else:
                directions = velocities
        new_weights = [w - learning_rate * d for w, d in zip(weights, directions, strict=True)]
        return new_weights, list(velocities)

    def reach(self, factor: tf.Tensor, learning_rate: tf.Tensor) -> tf.Tensor:
        """-∂w'/∂g of one `step`: how far a unit of the gradient moves w, scalar.

            ξ·factor, and with Nesterov's momentum, which counts it twice, ξ·factor·(1 + μ)

        Args:
          factor: `clip_factor`, which is a constant here.
          learning_rate: ξ, scalar.
        """
        share = 1.0 + self.momentum if self.nesterov else 1.0
        return learning_rate * factor * share
