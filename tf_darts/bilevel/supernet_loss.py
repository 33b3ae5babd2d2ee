"""A supernet's loss on one batch as a function of (w, α), in the clear form: by tapes."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.bilevel.loss import Loss
from tf_darts.bilevel.relaxation import Moment, Relaxation, folded
from tf_darts.optimization.flat import FlatLayout
from tf_darts.spaces.edge_wrappers import rows
from tf_darts.spaces.sampled import one_hot_mixing
from tf_darts.spaces.supernet import Alphas, Mixing, State, Supernet, Weights


class LossOutputs(NamedTuple):
    """What a loss leaves behind: as in `LossResult`, the statistics as one vector.

    Compiled gradients by α alone have none, (): only the real weight step assigns them.
    """

    state: State
    means: Mapping[str, tf.Tensor]
    statistics: tf.Tensor


class LossParts:
    """What the losses of a supernet's batches share.

    Attributes:
      supernet: whose losses they are.
      relaxation: makes mixing weights of α.
      layout: where each weight stands in the vector of all of w.
      statistics_layout: the same for the running statistics.
    """

    def __init__(self, supernet: Supernet, relaxation: Relaxation) -> None:
        self.supernet = supernet
        self.relaxation = relaxation
        self.layout = FlatLayout(supernet.weights)
        self.statistics_layout = FlatLayout(supernet.statistics)

    def arguments(
        self, mixing: Mixing, alphas: Alphas, moment: Moment
    ) -> tuple[Mixing, dict[str, Mixing | None]]:
        """The mixing weights as the supernet takes them, and the edges' factors if beside them."""
        factors = self.relaxation.edge_factors(alphas, moment)
        if self.supernet.edge_options:
            return rows(mixing, self.relaxation.edge_numbers(moment), factors), {}
        if self.supernet.takes_edge_factors:
            return mixing, {"edge_factors": factors}
        return folded(mixing, factors), {}


@dataclasses.dataclass(frozen=True)
class SupernetLoss(Loss):
    """The loss of one batch; w is a list of one vector. Its derivatives are by tapes.

    Attributes:
      losses: of which supernet.
      batch: of the training or of the validation data.
      state: of its stream.
      seed: int32 [2], of its masks.
      moment: where the search stands when α becomes mixing weights.
      regularized: whether the weight step's own terms are in it.
      of_weight_step: whether the mixing weights are those of w's step.
    """

    losses: LossParts
    batch: Any
    state: State
    seed: tf.Tensor
    moment: Moment
    regularized: bool
    of_weight_step: bool

    def value(self, weights: Weights, alphas: Alphas) -> tuple[tf.Tensor, LossOutputs]:
        relaxation = self.losses.relaxation
        relax = relaxation.weight_mixing if self.of_weight_step else relaxation.mixing
        mixing, factors = self.losses.arguments(relax(alphas, self.moment), alphas, self.moment)
        with one_hot_mixing(relaxation.one_hot):
            result = self.losses.supernet.loss(
                self.losses.layout.unflatten(weights[0]),
                mixing,
                self.batch,
                self.state,
                self.seed,
                **factors,
                progress=self.moment.progress,
                regularized=self.regularized,
            )
        statistics = self.losses.statistics_layout.flatten(result.statistics)
        return result.loss, LossOutputs(result.state, result.means, statistics)
