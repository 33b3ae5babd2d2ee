"""The step of the simultaneous baseline (docs/method.md section 6): α is one more weight."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_darts.bilevel.mixture import WEIGHT_STEP
from tf_darts.bilevel.step import BilevelStep
from tf_darts.config.search import SearchConfig
from tf_darts.runtime.lean_graphs import lean
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.spaces.supernet import Alphas, Supernet, Weights


class SimultaneousStep(BilevelStep):
    """α is one more weight: one gradient of one loss, one step of w's SGD for both.

    Learning rate, momentum, weight decay and the clipping of the common norm are those of w;
    α's Adam is not used, nor is the second batch.
    """

    def __init__(
        self, supernet: Supernet, config: SearchConfig, replicas: Replicas = SINGLE_REPLICA
    ) -> None:
        super().__init__(supernet, config, replicas)
        self._alpha_velocities = [
            tf.Variable(tf.zeros(alpha.shape, keras.config.floatx()))
            for alpha in self.alphas.values()
            if config.momentum
        ]
        self._advance_jointly = tf.function(lean(self._jointly_advanced), autograph=False)

    def set_weight_decay(self, value: float) -> None:
        """See `BilevelStep`; the common step is traced again too."""
        if value != self._weight_moves.optimizer.weight_decay:
            super().set_weight_decay(value)
            self._advance_jointly = tf.function(lean(self._jointly_advanced), autograph=False)

    @property
    def variables(self) -> dict[str, Any]:
        return super().variables | {"alpha_velocities": self._alpha_velocities}

    def _move(
        self, train: Any, validation: Any, learning_rate: tf.Tensor, seeds: Sequence[tf.Tensor]
    ) -> Mapping[str, Any]:
        """Moves both; returns what `BilevelStep._move` does, as far as there is such a thing."""
        del validation
        state = tf.nest.map_structure(tf.convert_to_tensor, self._states["train"])
        moment = self.mixture.moment(seeds, WEIGHT_STEP)
        if self.alphas_frozen:
            return self._move_weights(train, state, learning_rate, seeds)
        loss = self._loss_on(train, state, seeds[2], moment, of_weight_step=True)
        alphas = self.mixture.values()
        gradients = loss.gradients(self._weight_moves.read(), alphas)
        outputs = gradients.auxiliary
        norm = self._advance_jointly(
            gradients.of_weights,
            self._alpha_moves.with_terms(gradients.of_alphas, moment),
            learning_rate,
            outputs.statistics,
        )
        self._keep_state("train", outputs.state)
        direct = tf.linalg.global_norm(gradients.of_alphas)
        zero = tf.zeros_like(direct)
        return {
            "train": outputs.means,
            "validation": outputs.means,  # the batch was of both parts
            "weight_gradient_norm": norm,
            "hypergradient_norm": direct,
            "direct_norm": direct,
            "implicit_norm": zero,
            "epsilon": zero,
        }

    def _jointly_advanced(
        self,
        weight_gradients: Weights,
        alpha_gradients: list[tf.Tensor],
        learning_rate: tf.Tensor,
        statistics: tf.Tensor,
    ) -> tf.Tensor:
        """The step of (w, α); returns the norm of w's gradient before clipping."""
        gradients = [*weight_gradients, *alpha_gradients]
        alphas: Alphas = self.mixture.values()
        moves, optimizer = self._weight_moves, self._weight_moves.optimizer
        velocities = [
            tf.convert_to_tensor(velocity)
            for velocity in (*moves.velocities, *self._alpha_velocities)
        ]
        new_values, velocities = optimizer.step(
            [*moves.flat(), *tf.nest.flatten(alphas)],
            velocities,
            gradients,
            optimizer.clip_factor(tf.linalg.global_norm(gradients)),
            learning_rate,
        )
        moves.assign(new_values[0], velocities[:1], statistics)
        targets = [*tf.nest.flatten(self.alphas), *self._alpha_velocities]
        for variable, value in zip(targets, [*new_values[1:], *velocities[1:]], strict=True):
            variable.assign(value)
        return tf.linalg.global_norm(weight_gradients)
