"""What a search loses at once when its mixture becomes a discrete cell."""

from collections.abc import Mapping
from typing import Any

from tf_darts.bilevel.edge_options import check_lost_edges
from tf_darts.bilevel.epoch_rules import EpochRule, SearchProbe
from tf_darts.bilevel.strongest_edges import one_hot
from tf_darts.config.methods import register
from tf_darts.config.setting import setting


@register("discretisation_gap")
class DiscretisationGap(EpochRule):
    """A monitor: how much better the mixture is than the derived cell, with the same weights.

    worth(reading) - worth(cell) on the first `gap_batches` batches of the validation data, always
    the same ones, at the batches' own statistics: running ones are the mixture's, by which a
    discrete cell scores at chance. The worth is the score by which people judge, negative where
    less is better, so a gap above 0 is a loss, in the score's unit. The cell is the one that the
    derivation gives now: edges that it does not keep are out too. It is taken at epochs 0, N, 2N, …
    and at the last one, and costs 2 · `gap_batches` evaluations of a batch, and a compilation.
    """

    gap_epochs: int = setting(
        2,
        "The discretisation gap is measured once in this many epochs.",
        unit="epochs",
        minimum=1,
        maximum=10**6,
    )
    gap_batches: int = setting(
        8,
        "The discretisation gap is taken on this many batches of --evaluation_batch_size; 0 takes"
        " all validation data.",
        unit="batches",
        minimum=0,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        check_lost_edges(self, config)

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        if (probe.epoch - 1) % self.gap_epochs and probe.epoch != probe.epochs:
            return {}
        mixture = probe.worth(probe.reading, self.gap_batches)
        cell = probe.worth(one_hot(probe.edges, probe.cells), self.gap_batches)
        return {"discretisation/gap": mixture - cell}
