"""The optimiser of w: the real step and the virtual one, by one formula."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_darts.bilevel.compiled_loss import SupernetLosses
from tf_darts.config.search import SearchConfig
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.runtime.lean_graphs import lean
from tf_darts.spaces.supernet import Supernet, Weights


class WeightMoves:
    """Moves the weights by SGD; all of w is one vector here, and so is its velocity.

    Args:
      supernet: has the weights and the running statistics.
      losses: have their layouts.
      config: has the settings of the optimiser.

    Attributes:
      velocities: one variable, or none where there is no momentum.
      optimizer: the formula.
    """

    def __init__(self, supernet: Supernet, losses: SupernetLosses, config: SearchConfig) -> None:
        self._supernet, self._losses = supernet, losses
        self.optimizer = WeightOptimizer(
            config.momentum, config.weight_decay, config.clip_norm, config.nesterov
        )
        self.velocities = [
            tf.Variable(tf.zeros([losses.layout.size], keras.config.floatx()))
            for _ in range(bool(config.momentum))
        ]
        self.read = tf.function(lean(self.flat), autograph=False)
        self._compile()

    def _compile(self) -> None:
        self.unroll = tf.function(lean(self._unrolled), autograph=False)
        self.advance = tf.function(lean(self._advanced), autograph=False)

    def set_decay(self, value: float) -> None:
        """Another weight decay from now on, in both steps.

        What it changes is traced again; no derivative of the supernet is.
        """
        if value == self.optimizer.weight_decay:
            return
        self.optimizer = dataclasses.replace(self.optimizer, weight_decay=value)
        self._compile()

    def trace(self, learning_rate: tf.Tensor) -> None:
        """Traces the real step; nothing moves."""
        if tf.config.functions_run_eagerly():
            return
        vectors = self._losses.layout, self._losses.statistics_layout
        weights, statistics = (tf.zeros([v.size], keras.config.floatx()) for v in vectors)
        self.advance.get_concrete_function([weights], [weights], learning_rate, statistics)

    def flat(self) -> list[tf.Tensor]:
        """All of w, as a list of one vector."""
        # One operation each: `tf.convert_to_tensor` makes two, of thousands of variables.
        weights = [weight.value.value() for weight in self._supernet.weights]
        return [self._losses.layout.flatten(weights)]

    def _unrolled(
        self, weights: Weights, gradients: Weights, learning_rate: tf.Tensor
    ) -> tuple[Weights, tf.Tensor]:
        """The virtual step: w', and the factor, as ξ·clip, with which the gradient entered it."""
        factor = self.optimizer.clip_factor(tf.linalg.global_norm(gradients))
        velocities = [tf.convert_to_tensor(velocity) for velocity in self.velocities]
        unrolled_weights, _ = self.optimizer.step(
            weights, velocities, gradients, factor, learning_rate
        )
        return unrolled_weights, self.optimizer.reach(factor, learning_rate)

    def _advanced(
        self,
        weights: Weights,
        gradients: Weights,
        learning_rate: tf.Tensor,
        statistics: tf.Tensor,
    ) -> tf.Tensor:
        """The real step from w, by the same formula; returns the gradient's norm before clipping.

        It is given w, which its caller has read: reading thousands of variables again is as many
        operations more.
        """
        norm = tf.linalg.global_norm(gradients)
        factor = self.optimizer.clip_factor(norm)
        velocities = [tf.convert_to_tensor(velocity) for velocity in self.velocities]
        new_weights, velocities = self.optimizer.step(
            weights, velocities, gradients, factor, learning_rate
        )
        self.assign(new_weights[0], velocities, statistics)
        return norm

    def assign(
        self, weights: tf.Tensor, velocities: Sequence[tf.Tensor], statistics: tf.Tensor
    ) -> None:
        """Gives w (one vector), its velocity and the running statistics their new values."""
        supernet = self._supernet
        # TensorFlow's own: Keras' way of assigning takes twice as long to trace.
        weights_now, statistics_now = (
            [variable.value for variable in variables]
            for variables in (supernet.weights, supernet.statistics)
        )
        targets = [*weights_now, *self.velocities, *statistics_now]
        values = [
            *self._losses.layout.unflatten(weights),
            *velocities,
            *self._losses.statistics_layout.unflatten(statistics),
        ]
        for variable, value in zip(targets, values, strict=True):
            variable.assign(value, read_value=False)
