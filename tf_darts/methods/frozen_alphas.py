"""α as it began: what a search is without it."""

from collections.abc import Sequence

from tf_darts.bilevel.epoch_rules import Directions, EpochRule, Record, SearchFacts
from tf_darts.config.methods import register


@register("frozen_alphas")
class FrozenAlphas(EpochRule):
    """Alpha never moves: w learns under the mixing weights of the beginning, nearly equal ones.

    With the perturbation-based selection it is the control that the paper's authors found as good
    as a search or better (Wang et al. 2021, "blank").
    """

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        del history, facts
        return Directions(freeze_alphas=True)
