"""A derivation that keeps within so many multiply-adds."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from tf_darts.bilevel.budget import cheapest, smallest, within_budget
from tf_darts.bilevel.derivation import Derivation
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.methods.multiply_adds import check_costs


@register("budget")
class Budget(Derivation):
    """The best cell whose network has at most so many multiply-adds, exactly.

    Of all cells that `--mode=train` makes, by default, a network of at most `max_multiply_adds` of,
    it is the one whose edges have the largest product of mixing weights: a knapsack. Where the
    strongest edges keep the budget it is these.
    """

    max_multiply_adds: int = setting(
        0,
        "The network that --mode=train makes of the cell by default has at most this many"
        " multiply-adds; 0 sets no limit.",
        unit="multiply-adds",
        minimum=0,
        maximum=10**18,
    )

    def check(self, config: Any) -> None:
        check_costs(config, "--derivation=budget")
        if not self.max_multiply_adds:
            raise UserError(
                "--derivation=budget needs a budget; give --max_multiply_adds=N, of the network"
                " that --mode=train makes by default, or take --derivation=strongest_edges."
            )

    def of(self, facts: Any) -> Self:
        if facts is not None and self.max_multiply_adds:
            least = smallest(facts.cells, facts.costs())
            if least > self.max_multiply_adds:
                raise UserError(
                    f"--max_multiply_adds={self.max_multiply_adds}: no cell of this search makes"
                    f" so small a network; the smallest has {least} multiply-adds, so give at"
                    f" least --max_multiply_adds={least}."
                )
        return super().of(facts)

    def needed(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, np.ndarray]:
        """Of the cheapest operations of each edge the strongest: the smallest cell stays."""
        costs = self.facts.costs()
        return {
            kind: cheapest(mixing[kind], topology, costs.tables[kind])
            for kind, topology in cells.items()
        }

    def edges(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, list[list[Edge]]]:
        edges = within_budget(mixing, cells, self.facts.costs(), self.max_multiply_adds or np.inf)
        if edges is None:  # `of` has refused it
            raise ValueError(f"no cell has at most {self.max_multiply_adds} multiply-adds")
        return edges
