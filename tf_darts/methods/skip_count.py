"""How many edges of the derived cell compute nothing: the sign of a search that collapses."""

from collections.abc import Mapping

from tf_darts.bilevel.epoch_rules import EpochRule, SearchProbe
from tf_darts.config.methods import register

# The operations that hand on their input as it is.
IDENTITIES = ("skip_connect", "identity")


@register("skip_count")
class SkipCount(EpochRule):
    """A monitor: the skip connections of the cell that each epoch would give; always on."""

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        return {
            f"skips/{kind}": sum(name in IDENTITIES for node in nodes for name, _ in node)
            for kind, nodes in probe.edges.items()
            if set(probe.cells[kind].all_operations) & set(IDENTITIES)
        }
