"""How many edges of the derived cell compute nothing: the sign of a search that collapses."""

from collections.abc import Mapping
from typing import Any

from tf_darts.bilevel.epoch_rules import EpochRule, SearchProbe
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register
from tf_darts.errors import UserError

# The operations that hand on their input as it is.
IDENTITIES = ("skip_connect", "identity")


# Before the class: whoever registers first imports all members, which want this.
def check_skips(name: str, config: Any) -> None:
    """Raises `UserError` where an option is about skip connections and a search has none."""
    if any(set(topology.all_operations) & set(IDENTITIES) for topology in config.cells.values()):
        return
    raise UserError(
        f"--edge_options={name}: it is there for the sake of skip connections, and the cells of"
        " this search cannot have any; add skip_connect to --operations, or leave the option out."
    )


def skips(probe: SearchProbe) -> dict[str, int]:
    """The skip connections of each kind of cell that may have some, as it is derived now."""
    return {
        kind: sum(name in IDENTITIES for node in nodes for name, _ in node)
        for kind, nodes in probe.edges.items()
        if set(probe.cells[kind].all_operations) & set(IDENTITIES)
    }


def normal_cells(cells: Mapping[str, CellTopology]) -> dict[str, CellTopology]:
    """The kinds of cells in which skip connections are a danger: all but the reduction cell."""
    return {name: topology for name, topology in cells.items() if name != "reduce"}


@register("skip_count")
class SkipCount(EpochRule):
    """A monitor: the skip connections of the cell that each epoch would give; always on."""

    always = True

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        return {f"skips/{kind}": count for kind, count in skips(probe).items()}
