"""One step of training a derived network."""

import contextlib
from typing import Any

import keras
import tensorflow as tf

from tf_darts.config.training import TrainingConfig
from tf_darts.optimization.averaging import WeightAverage
from tf_darts.optimization.groups import WeightGroups
from tf_darts.optimization.loss_scale import LossScale
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.runtime.busy import busy
from tf_darts.runtime.lean_graphs import backward_pass, lean
from tf_darts.runtime.precision import current, using
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.runtime.seeds import step_seed
from tf_darts.runtime.whole_programs import compiles_steps
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.training.evaluator import weights_of


class TrainingStep:
    """The variables of a training and the compiled step that moves them.

    Attributes:
      average: of the weights, or None.
      of_tensors: the step as a function of tensors, which returns them.
      variables: everything that a checkpoint must hold to go on exactly.
    """

    def __init__(
        self,
        objective: TrainingObjective,
        config: TrainingConfig,
        *,
        averages: bool,
        replicas: Replicas = SINGLE_REPLICA,
    ) -> None:
        """Makes the variables.

        Args:
          objective: what is trained.
          config: the settings.
          averages: whether the weights may be averaged, which takes a copy of them.
          replicas: each takes its part of every batch.
        """
        replicas.check_batch(config.batch_size)
        self.objective = objective
        self._config = config
        self._weights = list(objective.weights)
        self._optimizer = WeightOptimizer(
            config.momentum, config.weight_decay, config.clip_norm, config.nesterov
        )
        self._groups = WeightGroups(self._weights)
        self._velocities = [
            tf.Variable(tf.zeros([size], self._weights[0].dtype), trainable=False)
            for size in self._groups.sizes
            if config.momentum
        ]
        self.average = WeightAverage(self._weights) if averages else None
        self._state = tf.nest.map_structure(
            lambda value: tf.Variable(value, trainable=False),
            objective.initial_state(config.batch_size),
        )
        self._precision = current()
        self._loss_scale = LossScale.needed_by(self._precision)
        self.steps = tf.Variable(0, dtype=tf.int64, name="steps")
        self.rollbacks = tf.Variable(0, dtype=tf.int64, name="rollbacks")
        scalar = tf.TensorSpec([], keras.config.floatx())
        weights = [tf.TensorSpec(weight.shape, weight.dtype) for weight in self._weights]
        state = tf.nest.map_structure(lambda v: tf.TensorSpec(v.shape, v.dtype), self._state)
        self._gradients = replicas.compiled(
            self._differentiated,
            ((weights, scalar), objective.batch_signature, state, tf.TensorSpec([2], tf.int32)),
            "gradients of a training",
            batch_axis=objective.batch_axis,
        )
        self._seed = tf.function(self._step_seed, autograph=False)
        self._advance = tf.function(lean(self._advanced), autograph=False)
        self._taken = False
        self.of_tensors = self._move
        # A program of XLA that fails can be replaced only where it is called from outside.
        if replicas.count == 1 and self._loss_scale is None and not compiles_steps():
            # In one graph: a thousand weights and gradients need not pass through Python.
            signature = objective.batch_signature, scalar, scalar
            self.of_tensors = tf.function(
                lean(self._move), input_signature=signature, autograph=False
            )

    @property
    def variables(self) -> dict[str, Any]:
        average = {} if self.average is None else {"average": self.average.variables}
        scale = {} if self._loss_scale is None else {"loss_scale": self._loss_scale.variables}
        return {
            **scale,
            **weights_of(self.objective),
            "velocities": self._velocities,
            **average,
            "state": tf.nest.flatten(self._state),
            "steps": self.steps,
            "rollbacks": self.rollbacks,
        }

    def __call__(self, batch: Any, learning_rate: float, progress: float) -> dict[str, Any]:
        """Takes one step.

        Args:
          batch: a training batch.
          learning_rate: of this step.
          progress: the share of the training that was over at this epoch's start.

        Returns:
          `gradient_norm` before clipping, `finite` (1 or 0), under `train` the batch's means, and
          `loss_scale` where there is one.
        """
        dtype = keras.config.floatx()
        rate, progress = (tf.convert_to_tensor(v, dtype) for v in (learning_rate, progress))
        batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
        telling = contextlib.nullcontext() if self._taken else busy("Compiling the training step")
        with telling:
            metrics = tf.nest.map_structure(float, self.of_tensors(batch, rate, progress))
        self._taken = True
        if self._loss_scale is not None:
            metrics["loss_scale"] = float(self._loss_scale.value)
            self._loss_scale.count_step()
        return metrics

    def reset_state(self) -> None:
        """The training stream begins anew."""
        beginning = self.objective.initial_state(self._config.batch_size)
        tf.nest.map_structure(lambda v, value: v.assign(value), self._state, beginning)

    def _move(self, batch: Any, learning_rate: tf.Tensor, progress: tf.Tensor) -> dict[str, Any]:
        """The step itself, of tensors."""
        point = [tf.convert_to_tensor(weight) for weight in self._weights], progress
        state = tf.nest.map_structure(tf.convert_to_tensor, self._state)
        with using(self._precision):
            results, state = self._differentiate_unscaled(point, batch, state, self._seed())
        return self._advance(*results, state, learning_rate)

    def _differentiate_unscaled(self, *arguments: Any) -> tuple[Any, Any]:
        """What `_differentiated` gives, its gradients unscaled where the loss is scaled."""
        scale = self._loss_scale
        if scale is None:
            return self._gradients(*arguments)

        def take() -> tuple[Any, Any]:
            (loss, means, gradients, statistics), state = self._gradients(*arguments)
            return (loss, means, scale.unscaled(gradients), statistics), state

        return scale.retry_until_finite(
            take, lambda result: bool(scale.too_large(result[0][0], result[0][2]))
        )

    def _step_seed(self) -> tf.Tensor:
        return step_seed(self._config.seed, self.steps.read_value(), self.rollbacks.read_value())

    def _differentiated(
        self, point: tuple[list[tf.Tensor], tf.Tensor], batch: Any, state: Any, seed: tf.Tensor
    ) -> tuple[Any, Any]:
        """The loss, its means, ∇_w and the new running statistics at any weights; and the state."""
        weights, progress = point
        scale = self._loss_scale
        mapping = list(zip(self._weights, weights, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                result = self.objective.loss(batch, state, seed, progress)
                scaled = result.loss if scale is None else result.loss * scale.value
            # Read inside the scope: what the loss made of them, or what they were.
            statistics = [tf.convert_to_tensor(v) for v in self.objective.statistics]
        # Zeros for what reaches nothing, as edges of a cell may do whose space has `none`.
        zero = tf.UnconnectedGradients.ZERO
        with backward_pass():
            gradients = tape.gradient(scaled, weights, unconnected_gradients=zero)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return (result.loss, dict(result.means), gradients, statistics), result.state

    def _advanced(
        self,
        loss: tf.Tensor,
        means: dict[str, tf.Tensor],
        gradients: list[tf.Tensor],
        statistics: list[tf.Tensor],
        state: Any,
        learning_rate: tf.Tensor,
    ) -> dict[str, Any]:
        """Moves all variables; returns what `__call__` does."""
        values = [weight.value for weight in self._weights]
        gradients = self._groups.join(gradients)
        norm = tf.linalg.global_norm(gradients)
        new_weights, velocities = self._optimizer.step(
            self._groups.join([tf.convert_to_tensor(value) for value in values]),
            [tf.convert_to_tensor(velocity) for velocity in self._velocities],
            gradients,
            self._optimizer.clip_factor(norm),
            learning_rate,
        )
        running_values = [variable.value for variable in self.objective.statistics]
        for variable, value in zip(
            [*values, *self._velocities, *running_values],
            [*self._groups.split(new_weights), *velocities, *statistics],
            strict=True,
        ):
            variable.assign(value)
        tf.nest.map_structure(lambda v, new: v.assign(new), self._state, state)
        if self.average is not None:
            self.average.update()
        self.steps.assign_add(1)
        metrics = {"train": means, "gradient_norm": norm}
        finite = tf.reduce_all(tf.math.is_finite(tf.stack([loss, *tf.nest.flatten(metrics)])))
        return metrics | {"finite": tf.cast(finite, tf.float32)}
