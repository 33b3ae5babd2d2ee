"""α stays as it was drawn: what a search finds that does not search."""

from collections.abc import Sequence

from tf_darts.bilevel.epoch_rules import Directions, EpochRule, Record, SearchFacts
from tf_darts.config.methods import register


@register("fixed_alpha")
class FixedAlpha(EpochRule):
    """Only w moves, in all epochs: a negative control."""

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        del history, facts
        return Directions(freeze_alphas=True)
