"""FairDARTS' threshold (Chu et al., ECCV 2020): edges that no operation is sure of vanish."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register
from tf_darts.config.setting import setting
from tf_darts.errors import UserError


@register("threshold")
class Threshold(Derivation):
    """The strongest edges, of which those with a mixing weight below a threshold become `none`.

    It is for mixing weights that do not compete, as sigmoids, and for spaces whose cells may have
    `none`. In the paper's own space nodes of published cells lost edges; here each node of a
    convolutional cell has two.
    """

    edge_threshold: float = setting(
        0.85,
        "The operation of an edge needs this mixing weight, or the edge becomes `none`.",
        minimum=0.0,
        maximum=1.0,
    )

    def check(self, config: Any) -> None:
        for option in config.make_parts("edge_options"):
            if type(option).edge_factors is not EdgeOption.edge_factors:
                raise UserError(
                    f"--derivation=threshold: --edge_options={option.name} multiplies each edge's"
                    " mixing weights by a factor, so a threshold would not tell how sure an edge is"
                    " of its operation; leave one of the two out."
                )
        for topology in config.cells.values():
            if not all("none" in topology.choices(edge) for edge in range(topology.edges)):
                raise UserError(
                    f"--derivation=threshold: a cell of the space {config.space} has as many edges"
                    " at each node as the space says, and may not have the operation none there,"
                    " so none can vanish; use --derivation=strongest_edges, or a space like"
                    " nasbench201 with none among its --operations."
                )

    def edges(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, list[list[Edge]]]:
        others = {k: dataclasses.replace(t, none_competes=False) for k, t in cells.items()}
        strongest = derive(mixing, others)
        return {
            kind: [
                [self._sure(edge, mixing[kind], topology, node) for edge in node_edges]
                for node, node_edges in enumerate(strongest[kind])
            ]
            for kind, topology in cells.items()
        }

    def _sure(self, edge: Edge, table: np.ndarray, topology: CellTopology, node: int) -> Edge:
        """The edge, or `none` in its place."""
        name, source = edge
        row = topology.rows(node).start + source
        weight = table[row, topology.operations_of(row).index(name)]
        gone = weight < self.edge_threshold and "none" in topology.choices(row)
        return ("none", source) if gone else edge
