"""P-DARTS' limit on skip connections (Chen et al., ICCV 2019), at the derivation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.methods.skip_count import IDENTITIES, normal_cells

_LEFT_OUT = -1.0


@register("skip_limit")
class SkipLimit(Derivation):
    """The strongest edges, with few skip connections in each cell but the reduction cell.

    While a cell has more than `most_skips`, the skip connection in it that has the smallest mixing
    weight is left out, and edges and operations are chosen anew. It is a strong prior: random cells
    under the same limit are its control. `none` has weight 0 from the start, also where it competes
    (NAS-Bench-201): as in the authors' code it goes first, and an edge is `none` only where nothing
    else is left of it. A skip connection that is the only choice, as where stages have left an edge
    nothing else, stays, also where there are too many then.
    """

    most_skips: int = setting(
        2,
        "A derived cell may have this many skip connections.",
        unit="skip connections",
        minimum=0,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        if not any(
            set(topology.all_operations) & set(IDENTITIES)
            for topology in normal_cells(config.cells).values()
        ):
            raise UserError(
                "--derivation=skip_limit: the cells of this search have no skip connection that"
                " could be limited; use --derivation=strongest_edges."
            )

    def edges(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, list[list[Edge]]]:
        tables = {name: _without_none(mixing[name], topology) for name, topology in cells.items()}
        for name, topology in normal_cells(cells).items():
            table = tables[name]
            while len(skips := _skips(table, topology)) > self.most_skips:
                avoidable = [place for place in skips if table[place] > _LEFT_OUT]
                if not avoidable:
                    break
                # Below that of `none`, which an edge of nothing else falls back to.
                table[min(avoidable, key=lambda place: table[place])] = _LEFT_OUT
        return derive(tables, cells)


def _without_none(table: np.ndarray, topology: CellTopology) -> np.ndarray:
    """The mixing weights of one kind of cell, [edges, operations], with 0 for `none`."""
    table = np.array(table)
    for edge in range(topology.edges):
        if "none" in (names := topology.operations_of(edge)):
            table[edge, names.index("none")] = 0.0
    return table


def _skips(table: np.ndarray, topology: CellTopology) -> list[tuple[int, int]]:
    """Where the table has the weights of the derived cell's skip connections."""
    nodes = derive({"cell": table}, {"cell": topology})["cell"]
    rows = [
        (topology.rows(node).start + source, name)
        for node, edges in enumerate(nodes)
        for name, source in edges
        if name in IDENTITIES
    ]
    return [(row, topology.operations_of(row).index(name)) for row, name in rows]
