"""A supernet's loss as a function of two vectors' worth of variables, and its compiled derivatives.

A step needs up to five gradients of a supernet. A graph of the whole step would hold the supernet
five times; here each kind of derivative (by w, by α, by both) is traced and optimised once.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.runtime.precision import Precision, current, using
from tf_darts.runtime.replicas import ALONE, BatchFunction, Replicas
from tf_darts.search import hypergradient
from tf_darts.search.flat import FlatLayout
from tf_darts.search.relaxation import Relaxation
from tf_darts.spaces.supernet import Alphas, State, Supernet, Weights


class Remains(NamedTuple):
    """What a loss leaves behind: as in `LossResult`, the statistics as one vector."""

    state: State
    means: Mapping[str, tf.Tensor]
    statistics: tf.Tensor


@dataclasses.dataclass(frozen=True)
class BatchLoss:
    """The loss of one batch as a function of (w, α); w is a list of one vector.

    Attributes:
      evaluate: see `SupernetLoss.evaluate`.
      batch: of the training or of the validation data.
      state: of its stream.
      seed: int32 [2], of its masks.
      relaxation_seed: int32 [2], of a relaxation that samples.
      regularized: whether the weight step's own terms are in it.
    """

    evaluate: Callable[..., tuple[tf.Tensor, Remains]]
    batch: Any
    state: State
    seed: tf.Tensor
    relaxation_seed: tf.Tensor
    regularized: bool = False

    def __call__(self, weights: Weights, alphas: Alphas) -> tuple[tf.Tensor, Remains]:
        return self.evaluate(weights, alphas, *self.tensors, self.regularized)

    @property
    def tensors(self) -> tuple[Any, ...]:
        """All that is no setting."""
        return self.batch, self.state, self.seed, self.relaxation_seed


class SupernetLoss:
    """The loss of a supernet under a relaxation.

    Attributes:
      layout: where each weight stands in the vector of all of w.
      statistics_layout: the same for the running statistics.
    """

    def __init__(self, supernet: Supernet, relax: Relaxation) -> None:
        self.supernet = supernet
        self.relax = relax
        self.layout = FlatLayout(supernet.weights)
        self.statistics_layout = FlatLayout(supernet.statistics)

    def evaluate(
        self,
        weights: Weights,
        alphas: Alphas,
        batch: Any,
        state: State,
        seed: tf.Tensor,
        relaxation_seed: tf.Tensor,
        regularized: bool,
    ) -> tuple[tf.Tensor, Remains]:
        """The loss and what it leaves behind; arguments as in `BatchLoss`."""
        result = self.supernet.loss(
            self.layout.unflatten(weights[0]),
            self.relax(alphas, relaxation_seed),
            batch,
            state,
            seed,
            regularized=regularized,
        )
        statistics = self.statistics_layout.flatten(result.statistics)
        return result.loss, Remains(result.state, result.means, statistics)

    def on(
        self,
        batch: Any,
        state: State,
        seed: tf.Tensor,
        relaxation_seed: tf.Tensor,
        *,
        regularized: bool = False,
    ) -> BatchLoss:
        """The loss of one batch."""
        regularized = regularized and self.supernet.regularizes
        return BatchLoss(self.evaluate, batch, state, seed, relaxation_seed, regularized)


class CompiledDerivatives:
    """What `hypergradient.Derivatives` holds, for `BatchLoss`es, compiled.

    Args:
      signature: `tf.TensorSpec`s of w, of α and of `BatchLoss.tensors`.
      joint: whether ∇_α comes with every ∇_w, see `Supernet.joint_gradients`.
      replicas: each takes its part of every batch.
      batch_axis: see `Supernet`.
      precision: in which they are computed; None: the current one.
    """

    def __init__(
        self,
        signature: tuple[Any, ...],
        joint: bool,
        replicas: Replicas = ALONE,
        batch_axis: int = 0,
        precision: Precision | None = None,
    ) -> None:
        self._weights, self._alphas, *self._batch, self._relaxation_seed = signature
        self._joint = joint
        self._batch_axis = batch_axis
        self._replicas = replicas
        self._precision = precision or current()
        self._made: dict[Any, Callable[..., Any]] = {}

    def gradients(
        self,
        loss: BatchLoss,
        weights: Weights,
        alphas: Alphas,
        *,
        of_weights: bool = True,
        of_alphas: bool = True,
    ) -> hypergradient.Gradients:
        """See `hypergradient.value_and_gradients`."""
        evaluate, regularized = loss.evaluate, loss.regularized
        of_alphas = of_alphas or self._joint

        def run(whole: Any, batch: Any, state: State, seed: tf.Tensor) -> tuple[Any, State]:
            weights, alphas, relaxation_seed = whole
            part = BatchLoss(evaluate, batch, state, seed, relaxation_seed, regularized)
            value, remains, *gradients = hypergradient.value_and_gradients(
                part, weights, alphas, of_weights=of_weights, of_alphas=of_alphas
            )
            return (value, remains._replace(state=()), *gradients), remains.state

        whole = self._weights, self._alphas, self._relaxation_seed
        function = self._function((regularized, of_weights, of_alphas), run, whole)
        whole = list(weights), alphas, loss.relaxation_seed
        (value, remains, *gradients), state = function(whole, loss.batch, loss.state, loss.seed)
        return value, remains._replace(state=state), *gradients

    def mixed_product(
        self, loss: BatchLoss, weights: Weights, alphas: Alphas, vector: Weights
    ) -> list[tf.Tensor]:
        """See `hypergradient.mixed_product`."""
        evaluate, regularized = loss.evaluate, loss.regularized

        def run(whole: Any, batch: Any, state: State, seed: tf.Tensor) -> tuple[Any, State]:
            vector, weights, alphas, relaxation_seed = whole
            part = BatchLoss(evaluate, batch, state, seed, relaxation_seed, regularized)
            return hypergradient.mixed_product(part, weights, alphas, vector), ()

        whole = self._weights, self._weights, self._alphas, self._relaxation_seed
        function = self._function(("mixed", regularized), run, whole)
        whole = list(vector), list(weights), alphas, loss.relaxation_seed
        return function(whole, loss.batch, loss.state, loss.seed)[0]

    def _function(
        self, key: tuple[Any, ...], run: BatchFunction, whole: tuple[Any, ...]
    ) -> Callable[..., Any]:
        """The compiled function of one kind; made of `run` the first time."""
        if key not in self._made:
            function = self._replicas.compiled(
                run, (whole, *self._batch), batch_axis=self._batch_axis
            )

            def call(*arguments: Any) -> Any:
                with using(self._precision):  # traced when it is first called
                    return function(*arguments)

            self._made[key] = call
        return self._made[key]
