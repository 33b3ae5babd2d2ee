"""The paper's derivation."""

from collections.abc import Mapping

import numpy as np

from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register


@register("strongest_edges")
class StrongestEdges(Derivation):
    """The strongest edges of each node with their strongest operations."""

    def edges(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, list[list[Edge]]]:
        return derive(mixing, cells)
