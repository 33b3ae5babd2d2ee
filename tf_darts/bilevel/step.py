"""One step of the bilevel search (docs/method.md section 2): first α, then w.

It knows no space: all it needs is a `Supernet`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.bilevel import relaxation
from tf_darts.bilevel.hypergradient import Hypergradient
from tf_darts.bilevel.loss import Loss
from tf_darts.bilevel.scaled_loss import scaled
from tf_darts.bilevel.supernet_loss import SupernetLosses
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.search import SearchConfig
from tf_darts.optimization.loss_scale import LossScale
from tf_darts.optimization.weight_optimizer import WeightOptimizer
from tf_darts.runtime.precision import current, using
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.runtime.seeds import step_seed
from tf_darts.spaces.evaluation import means_over
from tf_darts.spaces.supernet import Alphas, Evaluation, State, Supernet, Weights


class BilevelStep:
    """The variables of a search and the compiled step that moves them.

    Inside, all of w is one vector, and so is its velocity: a supernet may have thousands of
    kernels. What is compiled is each kind of derivative; the step between them is plain Python.

    Attributes:
      alphas: the architecture logits by kind of cell, keras Variables [edges, operations].
      variables: everything that a checkpoint must hold to go on exactly.
    """

    def __init__(
        self, supernet: Supernet, config: SearchConfig, replicas: Replicas = SINGLE_REPLICA
    ) -> None:
        replicas.check_batch(config.batch_size)
        self.supernet = supernet
        self.config = config
        self._weight_optimizer = WeightOptimizer(
            config.momentum, config.weight_decay, config.clip_norm
        )
        self.alphas = relaxation.initial_alphas(supernet.cells, config.alpha_scale, config.seed)
        # TensorFlow's form of Adam; its weight decay is added to the gradient, in `_move_alphas`.
        # NumPy's float64, because Keras makes a float32 of a Python number on its way to the
        # power, and 1 - 0.999 magnifies that.
        betas = np.float64(config.alpha_beta_1), np.float64(config.alpha_beta_2)
        self._alpha_optimizer = keras.optimizers.Adam(
            config.alpha_learning_rate, *betas, epsilon=1e-8
        )
        self._alpha_optimizer.build(list(self.alphas.values()))
        self._losses = SupernetLosses(supernet, replicas)
        self._velocities = [
            tf.Variable(tf.zeros([self._losses.layout.size], keras.config.floatx()))
            for _ in range(bool(config.momentum))
        ]
        self._states = {
            stream: tf.nest.map_structure(
                lambda value: tf.Variable(value, trainable=False),
                supernet.initial_state(config.batch_size),
            )
            for stream in ("train", "validation")
        }
        self.steps = tf.Variable(0, dtype=tf.int64, name="steps")
        self.rollbacks = tf.Variable(0, dtype=tf.int64, name="rollbacks")
        self._precision = current()
        self._loss_scale = LossScale.needed_by(self._precision)
        self._read = tf.function(self._flat_weights, autograph=False)
        self._unroll = tf.function(self._unrolled, autograph=False)
        self._advance = tf.function(self._advanced, autograph=False)
        self._evaluate = tf.function(self._evaluated, autograph=False, reduce_retracing=True)

    @property
    def variables(self) -> dict[str, Any]:
        scale = {} if self._loss_scale is None else {"loss_scale": self._loss_scale.variables}
        return {
            **scale,
            "weights": [variable.value for variable in self.supernet.weights],
            "statistics": [variable.value for variable in self.supernet.statistics],
            "velocities": self._velocities,
            "alphas": {name: alpha.value for name, alpha in self.alphas.items()},
            "alpha_optimizer": self._alpha_optimizer,
            "states": {name: tf.nest.flatten(state) for name, state in self._states.items()},
            "steps": self.steps,
            "rollbacks": self.rollbacks,
        }

    def __call__(self, train: Any, validation: Any, learning_rate: float) -> dict[str, Any]:
        """Takes one step at ξ = `learning_rate`.

        Args:
          train: a training batch.
          validation: a validation batch.
          learning_rate: of the weights in this step.

        Returns:
          What happened, see `of_tensors`; `finite` is 0 where something was not a number.
        """
        batches = tf.nest.map_structure(tf.convert_to_tensor, (train, validation))
        rate = tf.convert_to_tensor(learning_rate, keras.config.floatx())
        return tf.nest.map_structure(float, self.of_tensors(*batches, rate))

    def reset_states(self) -> None:
        """Both streams begin anew."""
        beginning = self.supernet.initial_state(self.config.batch_size)
        for state in self._states.values():
            tf.nest.map_structure(lambda v, value: v.assign(value), state, beginning)

    def mixing(self) -> dict[str, np.ndarray]:
        """The mixing weights of the current α."""
        return {name: table.numpy() for name, table in self._mixing().items()}

    def score(
        self, batches: Any, batch_size: int, should_stop: Callable[[], bool]
    ) -> dict[str, float] | None:
        """The supernet's scores over `batches` in evaluation mode; None if stopped meanwhile."""
        state = self.supernet.initial_state(batch_size)
        means = means_over(batches, state, self._evaluate, should_stop)
        return None if means is None else self.supernet.scores(means)

    def _evaluated(self, batch: Any, state: State) -> Evaluation:
        with using(self._precision):
            return self.supernet.evaluation_sums(self._mixing(), batch, state)

    def _mixing(self) -> Alphas:
        return relaxation.softmax(self._alpha_values())

    def _alpha_values(self) -> Alphas:
        return {name: tf.convert_to_tensor(alpha) for name, alpha in self.alphas.items()}

    def of_tensors(
        self, train: Any, validation: Any, learning_rate: tf.Tensor
    ) -> Mapping[str, Any]:
        """The whole step: what `_move` returns, the entropy (nats), and `finite` (1 or 0)."""
        seeds = tf.random.experimental.stateless_split(
            step_seed(self.config.seed, self.steps.read_value(), self.rollbacks.read_value()), 4
        )
        metrics = dict(self._move(train, validation, learning_rate, seeds))
        self.steps.assign_add(1)
        if self._loss_scale is not None:
            metrics["loss_scale"] = self._loss_scale.value.read_value()
            self._loss_scale.count_step()
        metrics["entropy"] = relaxation.entropy(self._mixing())
        finite = tf.reduce_all(tf.math.is_finite(tf.stack(tf.nest.flatten(metrics))))
        return metrics | {"finite": tf.cast(finite, tf.float32)}

    def _move(
        self, train: Any, validation: Any, learning_rate: tf.Tensor, seeds: tf.Tensor
    ) -> Mapping[str, Any]:
        """Moves α, then w.

        Args:
          train: a training batch.
          validation: a validation batch.
          learning_rate: ξ, of w.
          seeds: int32 [4, 2]: of the masks of the training loss that is unrolled, of the
            validation loss, and of the real weight step; the last is not used.

        Returns:
          By name, scalars: weight_gradient_norm (before clipping), hypergradient_norm,
          direct_norm, implicit_norm, epsilon; and under train and validation the batches'
          `LossResult.means`, before the weight step and where the hypergradient took them.
        """
        estimate = self._hypergradient(train, validation, learning_rate, seeds)
        self._move_alphas(estimate.gradient)
        train_means, norm = self._move_weights(train, learning_rate, seeds[2])
        tf.nest.map_structure(
            lambda v, new: v.assign(new), self._states["validation"], estimate.auxiliary.state
        )
        norms = {
            "hypergradient_norm": estimate.gradient,
            "direct_norm": estimate.direct,
            "implicit_norm": estimate.implicit,
        }
        return {
            "train": train_means,
            "validation": estimate.auxiliary.means,
            "weight_gradient_norm": norm,
            **{n: tf.linalg.global_norm(tf.nest.flatten(g)) for n, g in norms.items()},
            "epsilon": estimate.epsilon,
        }

    def _loss_on(
        self, batch: Any, stream: str, seed: tf.Tensor, *, regularized: bool = False
    ) -> Loss:
        """The loss of a batch, where its stream stands, as a function of (w, α)."""
        state = tf.nest.map_structure(tf.convert_to_tensor, self._states[stream])
        loss = self._losses.for_batch(batch, state, seed, regularized=regularized)
        return scaled(loss, self._loss_scale)

    def _flat_weights(self) -> list[tf.Tensor]:
        weights = [tf.convert_to_tensor(weight) for weight in self.supernet.weights]
        return [self._losses.layout.flatten(weights)]

    def _hypergradient(
        self, train: Any, validation: Any, learning_rate: tf.Tensor, seeds: tf.Tensor
    ) -> Hypergradient:
        """dα at the current point, as the search's settings say.

        The training loss has one seed: common random numbers.
        """
        kind = HYPERGRADIENTS[self.config.hypergradient]
        return kind.estimate(
            self._loss_on(train, "train", seeds[0]),
            self._loss_on(validation, "validation", seeds[1]),
            self._read(),
            self._alpha_values(),
            lambda gradients: self._unroll(gradients, learning_rate),
            **{name: getattr(self.config, field) for name, field in kind.settings.items()},
        )

    def _unrolled(self, gradients: Weights, learning_rate: tf.Tensor) -> tuple[Weights, tf.Tensor]:
        """The virtual step: w', and the factor ξ·clip with which the gradient entered it."""
        factor = self._weight_optimizer.clip_factor(tf.linalg.global_norm(gradients))
        velocities = [tf.convert_to_tensor(velocity) for velocity in self._velocities]
        unrolled_weights, _ = self._weight_optimizer.step(
            self._flat_weights(), velocities, gradients, factor, learning_rate
        )
        return unrolled_weights, learning_rate * factor

    def _advanced(
        self, gradients: Weights, learning_rate: tf.Tensor, statistics: tf.Tensor
    ) -> tf.Tensor:
        """The real step, by the same formula; returns the gradient's norm before clipping."""
        norm = tf.linalg.global_norm(gradients)
        factor = self._weight_optimizer.clip_factor(norm)
        velocities = [tf.convert_to_tensor(velocity) for velocity in self._velocities]
        new_weights, velocities = self._weight_optimizer.step(
            self._flat_weights(), velocities, gradients, factor, learning_rate
        )
        self._assign(new_weights[0], velocities, statistics)
        return norm

    def _assign(
        self, weights: tf.Tensor, velocities: Sequence[tf.Tensor], statistics: tf.Tensor
    ) -> None:
        """Gives w (one vector), its velocity and the running statistics their new values."""
        targets = [*self.supernet.weights, *self._velocities, *self.supernet.statistics]
        values = [
            *self._losses.layout.unflatten(weights),
            *velocities,
            *self._losses.statistics_layout.unflatten(statistics),
        ]
        for variable, value in zip(targets, values, strict=True):
            variable.assign(value)

    def _move_alphas(self, gradients: Alphas) -> None:
        """Adam on the hypergradient plus weight decay."""
        decay = self.config.alpha_weight_decay
        decayed = [gradients[name] + decay * alpha for name, alpha in self.alphas.items()]
        self._alpha_optimizer.apply(decayed, list(self.alphas.values()))

    def _move_weights(
        self, train: Any, learning_rate: tf.Tensor, seed: tf.Tensor
    ) -> tuple[Mapping[str, tf.Tensor], tf.Tensor]:
        """The real step of w on the regularised training loss, at the new α."""
        loss = self._loss_on(train, "train", seed, regularized=True)
        gradients = loss.gradients(self._read(), self._alpha_values(), of_alphas=False)
        outputs = gradients.auxiliary
        norm = self._advance(gradients.of_weights, learning_rate, outputs.statistics)
        tf.nest.map_structure(lambda v, new: v.assign(new), self._states["train"], outputs.state)
        return outputs.means, norm
