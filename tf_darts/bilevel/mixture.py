"""The architecture parameters, and the mixing weights that the relaxation makes of them now."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.bilevel.compiled_loss import SupernetLosses
from tf_darts.bilevel.edge_options import OptionedRelaxation
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.loss import Loss
from tf_darts.bilevel.part_checks import asking
from tf_darts.bilevel.relaxation import Given, Moment, Relaxation, entropy, folded, given
from tf_darts.config.search import SearchConfig
from tf_darts.runtime.precision import current, using
from tf_darts.runtime.replicas import Replicas
from tf_darts.runtime.seeds import step_seed
from tf_darts.spaces.evaluation import means_over
from tf_darts.spaces.supernet import Alphas, Evaluation, Mixing, State, Supernet, Weights

ALPHA_STEP, WEIGHT_STEP = 0, 1  # of what the relaxation draws


class Mixture:
    """A supernet with α: what of a search is read, recorded and evaluated.

    Attributes:
      alphas: the architecture parameters by name, keras Variables: logits [edges, operations] for
        each kind of cell, and what the relaxation and the edges' options have besides.
      facts: what the parts of the method know of the search.
      relaxation: makes mixing weights of them.
      losses: of the supernet's batches.
      losses_of_given: the same as functions of `given(mixing weights, α)`.
    """

    def __init__(self, supernet: Supernet, config: SearchConfig, replicas: Replicas) -> None:
        self.facts = SearchFacts.of(supernet, config)
        self.relaxation: Relaxation = config.make_parts("relaxation")[0].of(self.facts)
        if options := config.make_parts("edge_options"):
            options = [option.of(self.facts) for option in options]
            self.relaxation = OptionedRelaxation(
                self.relaxation, options, supernet.cells, config.epochs
            )
        alphas = self.relaxation.variables(supernet.cells, config.alpha_scale, config.seed)
        # In the order in which TensorFlow flattens them: gradients are lists of that order.
        self.alphas = dict(sorted(alphas.items()))
        self.losses = SupernetLosses(supernet, replicas, self.relaxation)
        self.losses_of_given = SupernetLosses(supernet, replicas, Given(self.relaxation))
        self._supernet = supernet
        self._precision = current()
        self._evaluate, self._judge = (
            tf.function(function, autograph=False, reduce_retracing=True)
            for function in (self._evaluated, self._judged)
        )
        fold_in = tf.random.experimental.stateless_fold_in
        self._seed_of = tf.function(fold_in, autograph=False)  # else it is a dozen operations
        self.begin_epoch(0)

    def begin_epoch(
        self,
        epoch: int,
        allowed: Mapping[str, np.ndarray] | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        """Says where the search stands; nothing is traced again.

        Args:
          epoch: counted from 0; `progress` and `ramp` of `Moment` follow from it.
          allowed: as in `Moment`, of the kinds of cell where an operation is no longer allowed.
          numbers: as in `Moment`.
        """
        dtype, epochs = keras.config.floatx(), self.facts.epochs
        tables: dict[str, tf.Tensor] = {}
        if allowed:
            for name, topology in self._supernet.cells.items():
                all_allowed = np.ones([topology.edges, topology.columns])
                tables[name] = tf.convert_to_tensor(allowed.get(name, all_allowed), dtype)
        self._moment = Moment(
            tf.zeros([2], tf.int32),
            tf.constant(min(1.0, epoch / epochs), dtype),
            tf.constant(min(1.0, epoch / max(1, epochs - 1)), dtype),
            tables,
            {name: tf.constant(value, dtype) for name, value in (numbers or {}).items()},
        )

    def moment(self, seeds: Sequence[tf.Tensor], step: int) -> Moment:
        """Where the search stands in one of the two steps, which draw apart from each other.

        Args:
          seeds: four of int32 [2], of the whole step; the last is the relaxation's.
          step: `ALPHA_STEP` or `WEIGHT_STEP`.
        """
        return self._moment._replace(seed=self._seed_of(seeds[3], step))

    def values(self) -> Alphas:
        """The architecture parameters as tensors."""
        return {name: tf.convert_to_tensor(alpha) for name, alpha in self.alphas.items()}

    def attacked(self, loss: Loss, weights: Weights, moment: Moment) -> dict[str, Any]:
        """What stands in α's place in w's step: mixing weights with which the relaxation hurts it.

        Args:
          loss: that step's, one of `losses_of_given`.
          weights: w, as the loss takes it.
          moment: of that step.
        """
        alphas = self.values()

        def value(mixing: Mixing) -> tf.Tensor:
            return loss.value(weights, given(mixing, alphas))[0]

        def gradient(mixing: Mixing) -> Mixing:
            point = given(mixing, alphas)
            slopes = loss.gradients(weights, point, of_weights=False).of_alphas
            return tf.nest.pack_sequence_as(point, slopes)["mixing"]

        mixing = self.relaxation.weight_mixing(alphas, moment)
        with asking(self.relaxation, "attack"):
            attacked = self.relaxation.attack(mixing, moment, value, gradient)
        return given(attacked, alphas)

    def tables(self) -> dict[str, np.ndarray]:
        """The mixing weights by which a cell is derived: α's ranking, times the edges' factors."""
        values = self.values()
        factors = self.relaxation.edge_factors(values, self._moment)
        ranking = folded(self.relaxation.ranking(values, self._moment), factors)
        return {name: table.numpy() for name, table in ranking.items()}

    def reading(self) -> dict[str, np.ndarray]:
        """α's reading, without the edges' factors."""
        return {name: table.numpy() for name, table in self._reading().items()}

    def entropy(self) -> tf.Tensor:
        """The mean entropy of the edges' mixing weights, in nats, as they are read now."""
        return entropy(self._reading(), normalized=self.relaxation.normalized)

    def score(
        self,
        batches: Any,
        batch_size: int,
        should_stop: Callable[[], bool],
        mixing: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, float] | None:
        """The supernet's scores over `batches` in evaluation mode; None if stopped meanwhile.

        Args:
          batches: each part of the data once.
          batch_size: examples of each of them.
          should_stop: is asked before every batch.
          mixing: other mixing weights than α's reading; None: that.
        """
        tables = self._reading()
        if mixing is not None:
            tables = {n: tf.convert_to_tensor(mixing[n], t.dtype) for n, t in tables.items()}
        arguments = self.losses.arguments(tables, self.values(), self._moment)
        state = self._supernet.initial_state(batch_size)
        evaluate = functools.partial(self._evaluate, *arguments)
        means = means_over(batches, state, evaluate, should_stop)
        return None if means is None else self._supernet.scores(means)

    def score_in_training_mode(
        self, batches: Any, batch_size: int, mixing: Mapping[str, np.ndarray]
    ) -> dict[str, float]:
        """The supernet's scores over `batches` as in a step: at the batches' own statistics.

        What is drawn depends on a batch's number alone, the supernet's masks and the options of the
        edges alike, so that mixing weights are compared under the same.

        Args:
          batches: as of `score`.
          batch_size: as of `score`.
          mixing: the mixing weights, without the edges' factors.
        """
        tables = {n: tf.convert_to_tensor(mixing[n], t.dtype) for n, t in self._reading().items()}
        state = tf.constant(0), self._supernet.initial_state(batch_size)
        judge = functools.partial(self._judge, tables, self.values(), self._moment)
        means = means_over(batches, state, judge, lambda: False)
        return self._supernet.scores(means or {})

    def _judged(
        self, tables: Mixing, alphas: Alphas, moment: Moment, batch: Any, state: State
    ) -> Evaluation:
        number, state = state
        seed = step_seed(self.facts.seed, number, tf.constant(-2))
        moment = moment._replace(seed=self._seed_of(seed, WEIGHT_STEP))
        mixing, factors = self.losses.arguments(tables, alphas, moment)
        weights = [tf.convert_to_tensor(weight) for weight in self._supernet.weights]
        with using(self._precision):
            result = self._supernet.loss(
                weights, mixing, batch, state, seed, **factors, progress=moment.progress
            )
        # What a batch has of predictions is not said; of the last of its tensors it has as many,
        # or so many times as many.
        count = tf.cast(tf.size(tf.nest.flatten(batch)[-1]), result.loss.dtype)
        totals = {name: mean * count for name, mean in result.means.items()}
        return Evaluation(totals, count, (number + 1, result.state))

    def _evaluated(
        self, mixing: Mixing, factors: dict[str, Mixing | None], batch: Any, state: State
    ) -> Evaluation:
        with using(self._precision):
            return self._supernet.evaluation_sums(mixing, batch, state, **factors)

    def _reading(self) -> Mixing:
        return self.relaxation.reading(self.values(), self._moment)
