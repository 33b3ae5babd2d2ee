"""DARTS (Liu, Simonyan, Yang 2019): its parts, and the method in its three estimates."""

from collections.abc import Mapping

import numpy as np

from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.relaxation import Relaxation
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register, register_method


@register("softmax")
class Softmax(Relaxation):
    """The softmax of each edge's row of alpha (eq. 2)."""


@register("strongest_edges")
class StrongestEdges(Derivation):
    """The strongest edges of each node with their strongest operations."""

    def edges(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, list[list[Edge]]]:
        return derive(mixing, cells)


register_method("darts", "the paper's method, second order (eqs. 7 and 8)", colour="#1f6fb4")
register_method(
    "darts_first",
    "the paper's method, first order (xi = 0)",
    hypergradient="first_order",
    colour="#d1602a",
)
register_method(
    "darts_exact",
    "the paper's method, second order by differentiating twice",
    hypergradient="exact",
    colour="#7a4fa3",
)
