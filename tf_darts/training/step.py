"""One step of training a derived network."""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.configuration.training import TrainingConfig
from tf_darts.optimization.averaging import WeightAverage
from tf_darts.optimization.groups import WeightGroups
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.runtime.seeds import step_seed
from tf_darts.spaces.network import Network
from tf_darts.training.evaluator import weights_of


class TrainingStep:
    """The variables of a training and the compiled step that moves them.

    Attributes:
      average: of the weights, or None.
      variables: everything that a checkpoint must hold to go on exactly.
    """

    def __init__(self, network: Network, config: TrainingConfig, *, averages: bool) -> None:
        """Makes the variables.

        Args:
          network: what is trained.
          config: the settings.
          averages: whether the weights may be averaged, which takes a copy of them.
        """
        self.network = network
        self._config = config
        self._weights = list(network.weights)
        self._optimizer = WeightOptimizer(config.momentum, config.weight_decay, config.clip_norm)
        self._groups = WeightGroups(self._weights)
        self._velocities = [
            tf.Variable(tf.zeros([size], self._weights[0].dtype), trainable=False)
            for size in self._groups.sizes
            if config.momentum
        ]
        self.average = WeightAverage(self._weights) if averages else None
        self._state = tf.nest.map_structure(
            lambda value: tf.Variable(value, trainable=False),
            network.initial_state(config.batch_size),
        )
        self.steps = tf.Variable(0, dtype=tf.int64, name="steps")
        self.rollbacks = tf.Variable(0, dtype=tf.int64, name="rollbacks")
        scalar = tf.TensorSpec([], keras.config.floatx())
        self._train = tf.function(
            self._step, input_signature=(network.batch_signature, scalar, scalar), autograph=False
        )

    @property
    def variables(self) -> dict[str, Any]:
        average = {} if self.average is None else {"average": self.average.variables}
        return {
            **weights_of(self.network),
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
          `gradient_norm` before clipping, `finite` (1 or 0) and under `train` the batch's means.
        """
        dtype = keras.config.floatx()
        rate, progress = (tf.convert_to_tensor(v, dtype) for v in (learning_rate, progress))
        batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
        return tf.nest.map_structure(float, self._train(batch, rate, progress))

    def reset_state(self) -> None:
        """The training stream begins anew."""
        beginning = self.network.initial_state(self._config.batch_size)
        tf.nest.map_structure(lambda v, value: v.assign(value), self._state, beginning)

    def _step(self, batch: Any, learning_rate: tf.Tensor, progress: tf.Tensor) -> dict[str, Any]:
        seed = step_seed(self._config.seed, self.steps.read_value(), self.rollbacks.read_value())
        values = [weight.value for weight in self._weights]
        state = tf.nest.map_structure(tf.convert_to_tensor, self._state)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            result = self.network.loss(batch, state, seed, progress)
        gradients = self._groups.join(
            [tf.convert_to_tensor(gradient) for gradient in tape.gradient(result.loss, values)]
        )
        norm = tf.linalg.global_norm(gradients)
        moved, velocities = self._optimizer.step(
            self._groups.join([tf.convert_to_tensor(value) for value in values]),
            [tf.convert_to_tensor(velocity) for velocity in self._velocities],
            gradients,
            self._optimizer.clip_factor(norm),
            learning_rate,
        )
        for variable, value in zip(
            [*values, *self._velocities],
            [*self._groups.split(moved), *velocities],
            strict=True,
        ):
            variable.assign(value)
        tf.nest.map_structure(lambda v, new: v.assign(new), self._state, result.state)
        if self.average is not None:
            self.average.update()
        self.steps.assign_add(1)
        metrics = {"train": dict(result.means), "gradient_norm": norm}
        finite = tf.reduce_all(
            tf.math.is_finite(tf.stack([result.loss, *tf.nest.flatten(metrics)]))
        )
        return metrics | {"finite": tf.cast(finite, tf.float32)}
