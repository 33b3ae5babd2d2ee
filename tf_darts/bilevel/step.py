"""One step of the bilevel search (docs/method.md section 2): first α, then w.

It knows no space and no method: all it needs is a `Supernet` and the parts of a method.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.bilevel.alpha_moves import AlphaMoves
from tf_darts.bilevel.hypergradient import Hypergradient
from tf_darts.bilevel.loss import Loss
from tf_darts.bilevel.mixture import ALPHA_STEP, WEIGHT_STEP, Mixture
from tf_darts.bilevel.relaxation import Moment
from tf_darts.bilevel.scaled_loss import scaled
from tf_darts.bilevel.weight_moves import WeightMoves
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.search import SearchConfig
from tf_darts.optimization.loss_scale import LossScale
from tf_darts.optimization.sums import all_finite, norms
from tf_darts.runtime.precision import current
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.runtime.seeds import seeds_of_step
from tf_darts.spaces.supernet import State, Supernet


class BilevelStep:
    """The variables of a search and the compiled step that moves them.

    Inside, all of w is one vector: a supernet may have thousands of kernels. What is compiled is
    each kind of derivative; the step between them is plain Python.

    Attributes:
      mixture: the supernet with α: what is read, recorded and evaluated.
      alphas: the architecture parameters, see `Mixture`.
      alphas_frozen: whether a step moves w alone.
      variables: everything that a checkpoint must hold to go on exactly.
    """

    def __init__(
        self, supernet: Supernet, config: SearchConfig, replicas: Replicas = SINGLE_REPLICA
    ) -> None:
        replicas.check_batch(config.batch_size)
        self.supernet = supernet
        self.config = config
        self.mixture = Mixture(supernet, config, replicas)
        self.alphas_frozen = False
        self.alphas = self.mixture.alphas
        self._alpha_moves = AlphaMoves(
            self.alphas, self.mixture.relaxation, config, self.mixture.facts
        )
        self._losses = self.mixture.losses
        self._weight_moves = WeightMoves(supernet, self._losses, config)
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
        self._began = False
        # An operation at a time these would take as long as the derivatives of a small supernet.
        self._seeds, self._norms, self._all_finite = (
            tf.function(function, autograph=False)
            for function in (seeds_of_step, norms, all_finite)
        )

    @property
    def variables(self) -> dict[str, Any]:
        scale = {} if self._loss_scale is None else {"loss_scale": self._loss_scale.variables}
        return {
            **scale,
            "weights": [variable.value for variable in self.supernet.weights],
            "statistics": [variable.value for variable in self.supernet.statistics],
            "velocities": self._weight_moves.velocities,
            "alphas": {name: alpha.value for name, alpha in self.alphas.items()},
            "alpha_optimizer": self._alpha_moves.optimizer,
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

    def set_weight_decay(self, value: float) -> None:
        """Another weight decay of w from now on, in the real and in the unrolled step.

        What it changes is traced again; no derivative of the supernet is.
        """
        self._weight_moves.set_decay(value)

    def reset_states(self) -> None:
        """Both streams begin anew."""
        beginning = self.supernet.initial_state(self.config.batch_size)
        for state in self._states.values():
            tf.nest.map_structure(lambda v, value: v.assign(value), state, beginning)

    def of_tensors(
        self, train: Any, validation: Any, learning_rate: tf.Tensor
    ) -> Mapping[str, Any]:
        """The whole step: what `_move` returns, the entropy (nats), and `finite` (1 or 0)."""
        seeds = self._seeds(self.config.seed, self.steps.read_value(), self.rollbacks.read_value())
        metrics = dict(self._move(train, validation, learning_rate, seeds))
        self.steps.assign_add(1)
        if self._loss_scale is not None:
            metrics["loss_scale"] = self._loss_scale.value.read_value()
            self._loss_scale.count_step()
        metrics["entropy"] = self.mixture.entropy()
        return metrics | {"finite": self._all_finite(metrics)}

    def _move(
        self, train: Any, validation: Any, learning_rate: tf.Tensor, seeds: Sequence[tf.Tensor]
    ) -> Mapping[str, Any]:
        """Moves α, then w, or in the other order; or w alone.

        Args:
          train: a training batch.
          validation: a validation batch.
          learning_rate: ξ, of w.
          seeds: four of int32 [2]: of the masks of the training loss that is unrolled, of the
            validation loss, and of the real weight step; and of what the relaxation draws.

        Returns:
          By name, scalars: weight_gradient_norm (before clipping), and where α moves
          hypergradient_norm, direct_norm, implicit_norm, epsilon; under train and validation (where
          α moves) the batches' `LossResult.means`, before the weight step and where the
          hypergradient took them.
        """
        # The state before the batch: both steps take the same one, whichever is first.
        before = tf.nest.map_structure(tf.convert_to_tensor, self._states)
        weights_first = self.config.step_order == "weights_first"
        if not self._began:
            self._began = True
            self._trace_meanwhile(train, validation, before, learning_rate, seeds)
        moved: dict[str, Any] = {}
        if weights_first:
            moved |= self._move_weights(train, before["train"], learning_rate, seeds)
        if not self.alphas_frozen:
            batches = {"train": train, "validation": validation}
            moved |= self._move_alphas(batches, before, learning_rate, seeds)
        if not weights_first:
            moved |= self._move_weights(train, before["train"], learning_rate, seeds)
        return moved

    def _trace_meanwhile(
        self,
        train: Any,
        validation: Any,
        states: Mapping[str, State],
        learning_rate: tf.Tensor,
        seeds: Sequence[tf.Tensor],
    ) -> None:
        """The gradients of both steps are traced while the first function is optimised.

        With 16 bits, or operations that are drawn, what is traced depends on settings of the
        process that change from one function to the next: then each waits for its turn.
        """
        if self._precision.mixed or self.mixture.relaxation.one_hot:
            return
        weights, alphas = self._weight_moves.read(), self.mixture.values()
        moments = [self.mixture.moment(seeds, step) for step in (ALPHA_STEP, WEIGHT_STEP)]
        of_alphas = self._loss_on(validation, states["validation"], seeds[1], moments[0])
        of_weights = self._loss_on(
            train, states["train"], seeds[2], moments[1], of_weight_step=True
        )

        traces = [
            lambda: of_weights.trace_gradients(weights, alphas, of_weights=True, of_alphas=False),
            lambda: self._weight_moves.trace(learning_rate),
        ]
        if HYPERGRADIENTS[self.config.hypergradient].by_alphas and not self.alphas_frozen:
            traces.insert(
                0,
                lambda: of_alphas.trace_gradients(
                    weights, alphas, of_weights=False, of_alphas=True
                ),
            )
        self._losses.trace_meanwhile(*traces)

    def hessian_product(self, batch: Any, number: int) -> Callable[[np.ndarray], np.ndarray]:
        """The function v -> ∇²_α L_val · v at the current (w, α), for a flat vector like α.

        It is the partial Hessian: w stays. The loss is that of α's step, in training mode, at the
        beginning of a stream; masks and mixing weights are drawn by the batch's number alone.

        Args:
          batch: of the validation data.
          number: of the batch, from 0.
        """
        seeds = seeds_of_step(self.config.seed, tf.constant(number), tf.constant(-1))
        batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
        state = self.supernet.initial_state(self.config.batch_size)
        moment = self.mixture.moment(seeds, ALPHA_STEP)
        loss = self._losses.for_batch(batch, state, seeds[1], moment).precise
        weights, alphas = self._weight_moves.read(), self.mixture.values()
        shapes = [alpha.shape for alpha in tf.nest.flatten(alphas)]
        ends = np.cumsum([shape.num_elements() for shape in shapes])

        def product(vector: np.ndarray) -> np.ndarray:
            pieces = np.split(vector.astype(keras.config.floatx()), ends[:-1])
            parts = [tf.reshape(x, shape) for x, shape in zip(pieces, shapes, strict=True)]
            products = loss.hessian_product(weights, alphas, parts)
            return np.concatenate([np.ravel(part) for part in products]).astype(np.float64)

        return product

    def _loss_on(
        self,
        batch: Any,
        state: State,
        seed: tf.Tensor,
        moment: Moment,
        *,
        of_weight_step: bool = False,
    ) -> Loss:
        """The loss of a batch, at its stream's state, as a function of (w, α)."""
        loss = self._losses.for_batch(batch, state, seed, moment, of_weight_step=of_weight_step)
        return scaled(loss, self._loss_scale)

    def _hypergradient(
        self,
        batches: Mapping[str, Any],
        states: Mapping[str, State],
        learning_rate: tf.Tensor,
        seeds: Sequence[tf.Tensor],
        moment: Moment,
    ) -> Hypergradient:
        """dα at the current point, as the search's settings say.

        The training loss has one seed: common random numbers. Both losses have α's mixing weights,
        of one draw.
        """
        kind = HYPERGRADIENTS[self.config.hypergradient]
        weights = self._weight_moves.read()
        return kind.estimate(
            self._loss_on(batches["train"], states["train"], seeds[0], moment),
            self._loss_on(batches["validation"], states["validation"], seeds[1], moment),
            weights,
            self.mixture.values(),
            lambda gradients: self._weight_moves.unroll(weights, gradients, learning_rate),
            **{name: getattr(self.config, field) for name, field in kind.settings.items()},
        )

    def _move_alphas(
        self,
        batches: Mapping[str, Any],
        states: Mapping[str, State],
        learning_rate: tf.Tensor,
        seeds: Sequence[tf.Tensor],
    ) -> dict[str, Any]:
        """Adam on the hypergradient and the gradients of α's other terms."""
        moment = self.mixture.moment(seeds, ALPHA_STEP)
        estimate = self._hypergradient(batches, states, learning_rate, seeds, moment)
        self._alpha_moves.apply(estimate.gradient, moment)
        self._keep_state("validation", estimate.auxiliary.state)
        parts = {
            "hypergradient_norm": estimate.gradient,
            "direct_norm": estimate.direct,
            "implicit_norm": estimate.implicit,
        }
        return {
            "validation": estimate.auxiliary.means,
            **self._norms(parts),
            "epsilon": estimate.epsilon,
        }

    def _move_weights(
        self, train: Any, state: State, learning_rate: tf.Tensor, seeds: Sequence[tf.Tensor]
    ) -> dict[str, Any]:
        """The real step of w on the regularised training loss, at the current α."""
        moment = self.mixture.moment(seeds, WEIGHT_STEP)
        loss = self._loss_on(train, state, seeds[2], moment, of_weight_step=True)
        point, weights = self.mixture.values(), self._weight_moves.read()
        if self.mixture.relaxation.attacks():
            losses = self.mixture.losses_of_given
            loss = losses.for_batch(train, state, seeds[2], moment, of_weight_step=True)
            loss = scaled(loss, self._loss_scale)
            point = self.mixture.attacked(loss, weights, moment)
        gradients = loss.gradients(weights, point, of_alphas=False)
        outputs = gradients.auxiliary
        norm = self._weight_moves.advance(
            weights, gradients.of_weights, learning_rate, outputs.statistics
        )
        self._keep_state("train", outputs.state)
        return {"train": outputs.means, "weight_gradient_norm": norm}

    def _keep_state(self, stream: str, state: State) -> None:
        tf.nest.map_structure(lambda v, new: v.assign(new), self._states[stream], state)
