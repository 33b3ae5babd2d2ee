"""One step of the bilevel search (docs/method.md section 2): first α, then w.

It knows no space: all it needs is a `Supernet`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.config import SearchConfig
from tf_darts.runtime.seeds import derived_seed, step_seed
from tf_darts.search import hypergradient, relaxation
from tf_darts.search.weight_optimizer import WeightOptimizer
from tf_darts.spaces.supernet import Alphas, State, Supernet, Weights


def _initial_alphas(supernet: Supernet, config: SearchConfig) -> dict[str, keras.Variable]:
    """Nearly equal logits, `alpha_scale`·N(0, 1), for each kind of cell."""
    alphas = {}
    for name, topology in supernet.cells.items():
        random = np.random.default_rng(derived_seed(config.seed, "alpha", name))
        shape = (topology.edges, len(topology.operations))
        value = config.alpha_scale * random.standard_normal(shape)
        alphas[name] = keras.Variable(value, dtype=keras.config.floatx(), name=f"alpha_{name}")
    return alphas


class BilevelStep:
    """The variables of a search and the compiled step that moves them.

    Attributes:
      alphas: the architecture logits by kind of cell, keras Variables [edges, operations].
      variables: everything that a checkpoint must hold to go on exactly.
    """

    def __init__(
        self,
        supernet: Supernet,
        config: SearchConfig,
        relax: relaxation.Relaxation = relaxation.softmax,
    ) -> None:
        self.supernet = supernet
        self.config = config
        self._relax = relax
        self._weight_optimizer = WeightOptimizer(
            config.momentum, config.weight_decay, config.clip_norm
        )
        self.alphas = _initial_alphas(supernet, config)
        # TensorFlow's form of Adam; its weight decay is added to the gradient, in `_move_alphas`.
        # NumPy's float64, because Keras makes a float32 of a Python number on its way to the
        # power, and 1 - 0.999 magnifies that.
        betas = np.float64(config.alpha_beta_1), np.float64(config.alpha_beta_2)
        self._alpha_optimizer = keras.optimizers.Adam(
            config.alpha_learning_rate, *betas, epsilon=1e-8
        )
        self._alpha_optimizer.build(list(self.alphas.values()))
        momenta = supernet.weights if config.momentum else []
        self._velocities = [tf.Variable(tf.zeros_like(w.value)) for w in momenta]
        self._states = {
            stream: tf.nest.map_structure(
                lambda value: tf.Variable(value, trainable=False),
                supernet.initial_state(config.batch_size),
            )
            for stream in ("train", "validation")
        }
        self.steps = tf.Variable(0, dtype=tf.int64, name="steps")
        self.rollbacks = tf.Variable(0, dtype=tf.int64, name="rollbacks")
        scalar = tf.TensorSpec([], keras.config.floatx())
        signature = [supernet.batch_signature, supernet.batch_signature, scalar]
        self._compiled = tf.function(self._step, input_signature=signature, autograph=False)
        self._evaluate = tf.function(
            lambda batch, state: supernet.evaluate(self._mixing(), batch, state),
            autograph=False,
            reduce_retracing=True,
        )

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "weights": [variable.value for variable in self.supernet.weights],
            "statistics": [variable.value for variable in self.supernet.statistics],
            "velocities": self._velocities,
            "alphas": {name: alpha.value for name, alpha in self.alphas.items()},
            "alpha_optimizer": self._alpha_optimizer,
            "states": {name: tf.nest.flatten(state) for name, state in self._states.items()},
            "steps": self.steps,
            "rollbacks": self.rollbacks,
        }

    def __call__(self, train: Any, validation: Any, learning_rate: float) -> dict[str, float]:
        """Takes one step at ξ = `learning_rate`.

        Args:
          train: a training batch.
          validation: a validation batch.
          learning_rate: of the weights in this step.

        Returns:
          What happened, see `_step`; `finite` is 0 where something was not a number.
        """
        metrics = self._compiled(train, validation, tf.cast(learning_rate, keras.config.floatx()))
        return {name: float(value) for name, value in metrics.items()}

    def reset_states(self) -> None:
        """Both streams begin anew."""
        beginning = self.supernet.initial_state(self.config.batch_size)
        for state in self._states.values():
            tf.nest.map_structure(lambda v, value: v.assign(value), state, beginning)

    def mixing(self) -> dict[str, np.ndarray]:
        """The mixing weights of the current α."""
        return {name: table.numpy() for name, table in self._mixing().items()}

    def evaluate(
        self, batches: Any, batch_size: int, should_stop: Callable[[], bool]
    ) -> dict[str, float] | None:
        """The supernet's scores over `batches` in evaluation mode; None if stopped meanwhile."""
        totals: dict[str, float] = {}
        count, state = 0.0, self.supernet.initial_state(batch_size)
        for batch in batches:
            if should_stop():
                return None
            result = self._evaluate(batch, state)
            state = result.state
            count += float(result.count)
            for name, value in result.totals.items():
                totals[name] = totals.get(name, 0.0) + float(value)
        return self.supernet.scores({name: total / count for name, total in totals.items()})

    def _mixing(self) -> Alphas:
        # A relaxation that samples is evaluated at a fixed seed.
        return self._relax(self._alpha_values(), tf.zeros([2], tf.int32))

    def _alpha_values(self) -> Alphas:
        return {name: tf.convert_to_tensor(alpha) for name, alpha in self.alphas.items()}

    def _step(self, train: Any, validation: Any, learning_rate: tf.Tensor) -> Mapping[str, Any]:
        """The whole step as one graph.

        Returns:
          By name, scalars: train_loss (nats, before the weight step, without regularisers),
          validation_loss (where the hypergradient took it), weight_gradient_norm (before
          clipping), hypergradient_norm, direct_norm, implicit_norm, epsilon, entropy (nats),
          finite (1 or 0).
        """
        seeds = tf.random.experimental.stateless_split(
            step_seed(self.config.seed, self.steps.read_value(), self.rollbacks.read_value()), 4
        )
        estimate, validation_state = self._hypergradient(train, validation, learning_rate, seeds)
        self._move_alphas(estimate.gradient)
        train_metrics = self._move_weights(train, learning_rate, seeds[2], seeds[3])
        tf.nest.map_structure(
            lambda v, new: v.assign(new), self._states["validation"], validation_state
        )
        self.steps.assign_add(1)
        norms = {
            "hypergradient_norm": estimate.gradient,
            "direct_norm": estimate.direct,
            "implicit_norm": estimate.implicit,
        }
        metrics = {
            **train_metrics,
            "validation_loss": estimate.validation_loss,
            **{n: tf.linalg.global_norm(tf.nest.flatten(g)) for n, g in norms.items()},
            "epsilon": estimate.epsilon,
            "entropy": relaxation.entropy(self._mixing()),
        }
        finite = tf.reduce_all(tf.math.is_finite(tf.stack(list(metrics.values()))))
        return metrics | {"finite": tf.cast(finite, tf.float32)}

    def _hypergradient(
        self, train: Any, validation: Any, learning_rate: tf.Tensor, seeds: tf.Tensor
    ) -> tuple[hypergradient.Hypergradient, State]:
        """dα at the current point. The training loss has one seed: common random numbers."""
        weights = [tf.convert_to_tensor(variable) for variable in self.supernet.weights]
        velocities = [tf.convert_to_tensor(velocity) for velocity in self._velocities]
        states = tf.nest.map_structure(tf.convert_to_tensor, self._states)

        def loss_on(batch: Any, stream: str, seed: tf.Tensor) -> hypergradient.Loss:
            def loss(w: Weights, alphas: Alphas) -> tuple[tf.Tensor, State]:
                mixing = self._relax(alphas, seeds[3])
                result = self.supernet.loss(w, mixing, batch, states[stream], seed)
                return result.loss, result.state

            return loss

        def unroll(gradients: Weights) -> tuple[Weights, tf.Tensor]:
            factor = self._weight_optimizer.clip_factor(tf.linalg.global_norm(gradients))
            moved, _ = self._weight_optimizer.step(
                weights, velocities, gradients, factor, learning_rate
            )
            return moved, learning_rate * factor

        result = hypergradient.estimate(
            self.config.hypergradient,
            loss_on(train, "train", seeds[0]),
            loss_on(validation, "validation", seeds[1]),
            weights,
            self._alpha_values(),
            unroll,
            self.config.finite_difference_radius,
        )
        return result, result.auxiliary

    def _move_alphas(self, gradients: Alphas) -> None:
        """Adam on the hypergradient plus weight decay."""
        decay = self.config.alpha_weight_decay
        decayed = [gradients[name] + decay * alpha for name, alpha in self.alphas.items()]
        self._alpha_optimizer.apply(decayed, list(self.alphas.values()))

    def _move_weights(
        self, train: Any, learning_rate: tf.Tensor, seed: tf.Tensor, relaxation_seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The real step of w on the regularised training loss, at the new α."""
        weights = [tf.convert_to_tensor(variable) for variable in self.supernet.weights]
        mixing = self._relax(self._alpha_values(), relaxation_seed)
        state = tf.nest.map_structure(tf.convert_to_tensor, self._states["train"])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            result = self.supernet.loss(weights, mixing, train, state, seed, regularized=True)
        gradients = hypergradient.gradients_of(result.loss, tape, weights)
        norm = tf.linalg.global_norm(gradients)
        moved, velocities = self._weight_optimizer.step(
            weights,
            [tf.convert_to_tensor(velocity) for velocity in self._velocities],
            gradients,
            self._weight_optimizer.clip_factor(norm),
            learning_rate,
        )
        targets = [*self.supernet.weights, *self._velocities, *self.supernet.statistics]
        for variable, value in zip(targets, [*moved, *velocities, *result.statistics], strict=True):
            variable.assign(value)
        tf.nest.map_structure(lambda v, new: v.assign(new), self._states["train"], result.state)
        return {"train_loss": result.cross_entropy, "weight_gradient_norm": norm}
