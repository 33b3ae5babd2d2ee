"""What a search loses at once when its mixture becomes a discrete cell."""

import dataclasses
import math
from collections.abc import Mapping

from tf_darts.bilevel.epoch_rules import EpochRule, SearchProbe
from tf_darts.bilevel.strongest_edges import derive, one_hot
from tf_darts.cells.genotype import Edge
from tf_darts.config.methods import register
from tf_darts.config.setting import setting
from tf_darts.runtime.busy import busy


@register("discretisation_gap")
class DiscretisationGap(EpochRule):
    """A monitor: how much better the mixture is than the derived cell, by the same w; always on.

    worth(reading) - worth(cell) on the first `gap_batches` batches of the validation data, always
    the same ones, at the batches' own statistics: running ones are the mixture's, by which a
    discrete cell scores at chance. The worth is the score by which people judge, negative where
    less is better, so a gap above 0 is a loss, in the score's unit. The cell is the one that the
    derivation gives now: edges that it does not keep are out too, unless an edge option would hand
    something on past their operations; then they have their strongest one. The gap is taken at
    epochs 1, N + 1, 2N + 1, … and the last of --epochs, and costs 2 · `gap_batches` evaluations of
    a batch, and a compilation. An epoch in which it is no number has none.
    """

    always = True

    gap_epochs: int = setting(
        2,
        "The discretisation gap is measured once in this many epochs; 0: never.",
        unit="epochs",
        minimum=0,
        maximum=10**6,
        operational=True,
    )
    gap_batches: int = setting(
        4,
        "The discretisation gap is taken on this many batches of --evaluation_batch_size; 0 takes"
        " all validation data.",
        unit="batches",
        minimum=0,
        maximum=10**6,
        operational=True,
    )

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        if not self.gap_epochs:
            return {}
        if (probe.epoch - 1) % self.gap_epochs and probe.epoch != probe.epochs:
            return {}
        edges = probe.edges
        if self.facts is not None and self.facts.passes_by:
            edges = _with_all_edges(probe)
        cell = one_hot(edges, probe.cells)
        with busy("Measuring the discretisation gap"):
            gap = probe.worth(probe.reading, self.gap_batches) - probe.worth(cell, self.gap_batches)
        # The cell's loss may be too large for a perplexity, while the mixture's is not.
        return {"discretisation/gap": gap} if math.isfinite(gap) else {}


def _with_all_edges(probe: SearchProbe) -> dict[str, list[list[Edge]]]:
    """The derived cell's edges, by node, and the strongest operation of each other edge."""
    whole = {kind: dataclasses.replace(cell, keep=None) for kind, cell in probe.cells.items()}
    return {
        kind: [
            [*kept, *(edge for edge in every if edge[1] not in {source for _, source in kept})]
            for kept, every in zip(probe.edges[kind], nodes, strict=True)
        ]
        for kind, nodes in derive(probe.mixing, whole).items()
    }
