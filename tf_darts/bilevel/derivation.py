"""How a discrete cell is read off a search: the fourth door of a search method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tf_darts.bilevel.epoch_rules import EpochRule, Record
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.errors import UserError


class Derivation(EpochRule):
    """From mixing weights to the edges that a discrete cell keeps.

    A derivation may decide edge by edge and train on in between: it is a rule too, which says what
    may still be chosen, measures what it decides by, and asks for epochs after the search's own.
    """

    kind: ClassVar[str] = "derivation"
    needs: ClassVar[tuple[str, ...]] = ("edges",)

    def more_epochs(self, cells: Mapping[str, CellTopology]) -> int:
        """How many epochs it needs after those that were asked for."""
        del cells
        return 0

    def needed(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> Mapping[str, np.ndarray]:
        """What a search in stages may not drop, or no cell would be left; by default nothing.

        Args:
          mixing: as of `edges`, at the end of a stage.
          cells: the topologies of that stage.

        Returns:
          Whether an operation is needed, [edges, operations], for kinds of cell where one is.
        """
        del mixing, cells
        return {}

    def edges(
        self, mixing: Mapping[str, np.ndarray], cells: Mapping[str, CellTopology]
    ) -> dict[str, list[list[Edge]]]:
        """The kept edges of every kind of cell, by node: what a genotype is made of.

        Args:
          mixing: the reading of α, [edges, operations] for each kind of cell.
          cells: the topology of each kind of cell.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which edges it keeps")

    def edges_after(
        self,
        mixing: Mapping[str, np.ndarray],
        cells: Mapping[str, CellTopology],
        history: Sequence[Record],
    ) -> dict[str, list[list[Edge]]]:
        """The same, where it depends on what was measured; by default `edges`.

        Args:
          mixing: as of `edges`.
          cells: as of `edges`.
          history: the records of the epochs that are over. At an epoch's end the last is that
            epoch's, and has as yet only what this derivation measured, its "monitors".
        """
        del history
        return self.edges(mixing, cells)


def check_no_stop(config: Any, derivation: Derivation) -> None:
    """Raises `UserError` where a rule may stop a search before a derivation has chosen.

    Args:
      config: the search's.
      derivation: which chooses after the search's last epoch.
    """
    for rule in config.make_parts("rules"):
        if rule.stops:
            raise UserError(
                f"--rules={config.rules}: {rule.name} may stop the search before"
                f" --derivation={derivation.name} has chosen, which it does after the last of"
                f" --epochs={config.epochs}; leave one of the two out."
            )
