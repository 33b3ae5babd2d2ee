"""Weights first: α is not moved before w has learnt something."""

from collections.abc import Sequence
from typing import Any

from tf_darts.bilevel.epoch_rules import Directions, EpochRule, Record, SearchFacts
from tf_darts.config.methods import register
from tf_darts.config.setting import setting
from tf_darts.errors import UserError


@register("warm_up")
class WarmUp(EpochRule):
    """Only w moves in the first epochs."""

    warm_up_epochs: int = setting(
        15,
        "The weights learn alone for this many epochs before alpha moves.",
        unit="epochs",
        minimum=1,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        if self.warm_up_epochs >= config.epochs:
            raise UserError(
                f"--warm_up_epochs={self.warm_up_epochs} leaves none of --epochs={config.epochs} in"
                " which alpha moves; give fewer, or --rules=frozen_alphas."
            )

    def frozen_epochs(self) -> int:
        return self.warm_up_epochs

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        del facts
        return Directions(freeze_alphas=len(history) < self.warm_up_epochs)
