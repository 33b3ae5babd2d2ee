"""α as it began: what a search is without it."""

from collections.abc import Sequence
from typing import Any, ClassVar

from tf_darts.bilevel.epoch_rules import Directions, EpochRule, Record, SearchFacts
from tf_darts.config.methods import register
from tf_darts.errors import UserError


@register("frozen_alphas")
class FrozenAlphas(EpochRule):
    """Alpha never moves: w learns under the mixing weights of the beginning, nearly equal ones.

    With the perturbation-based selection it is the control that the paper's authors found as good
    as a search or better (Wang et al. 2021, "blank").
    """

    # The steps' order means nothing either, but a file of settings for all methods may have it.
    unused: ClassVar[tuple[str, ...]] = (
        "hypergradient",
        "alpha_learning_rate",
        "alpha_beta_1",
        "alpha_beta_2",
        "alpha_weight_decay",
        "alpha_clip_norm",
    )

    def check(self, config: Any) -> None:
        if config.make_parts("alpha_terms"):
            raise UserError(
                f"--rules={self.name}: alpha never moves, so no term pulls on it; give"
                " --alpha_terms= (none)."
            )
        for rule in config.make_parts("rules"):
            if rule.stops:
                raise UserError(
                    f"--rules={self.name},{rule.name}: alpha never moves, and a random cell would"
                    " stop the search; leave one of the two out."
                )
            if rule.stages() > 1 or rule.goes_back:
                does = "leave out operations" if rule.stages() > 1 else "go back"
                raise UserError(
                    f"--rules={self.name},{rule.name}: alpha never moves, and the search would"
                    f" {does} for a random cell; leave one of the two out."
                )

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        del history, facts
        return Directions(freeze_alphas=True)
