"""DARTS+ (Liang et al. 2019): a search ends before its cell is nothing but skip connections."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tf_darts.bilevel.epoch_rules import (
    Directions,
    EpochRule,
    Record,
    SearchFacts,
    SearchProbe,
    Stop,
    frozen_epochs,
)
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.methods.skip_count import IDENTITIES, normal_cells, skips


@register("skip_stop")
class SkipStop(EpochRule):
    """Stops a search whose cell has several skip connections, with the cell of that epoch.

    DARTS+'s first criterion: at the end of the first epoch whose derived cell has at least
    `skip_stop_count` skip connections, in a cell that is no reduction cell. That epoch's cell is
    the result, skip connections and all; a stricter reading of the paper would take the one before.
    Where every edge is kept, as in NAS-Bench-201's six, good cells have other numbers of them.
    Before α has learnt, cells are as good as random and may have as many: `skip_stop_start`.
    """

    stops: ClassVar[bool] = True

    skip_stop_count: int = setting(
        2,
        "The search stops where a derived cell has this many skip connections.",
        unit="skip connections",
        minimum=1,
        maximum=10**6,
    )
    skip_stop_start: int = setting(
        0,
        "The skip connections are first looked at when this epoch, counted from 0, ends.",
        unit="epochs",
        minimum=0,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        if not any(
            set(topology.all_operations) & set(IDENTITIES)
            for topology in normal_cells(config.cells).values()
        ):
            raise UserError(
                f"--rules={self.name}: the cells of this search have no skip connection, at which"
                " it could stop; leave the rule out."
            )
        still = frozen_epochs(config)
        if self.skip_stop_start < still:
            raise UserError(
                f"--rules=warm_up,{self.name}: alpha stands still for --warm_up_epochs={still}, and"
                f" a random cell would stop the search; give --skip_stop_start={still} or more."
            )
        if self.skip_stop_start and self.skip_stop_start + 2 > config.epochs:
            raise UserError(
                f"--rules={self.name}: looks first when epoch {self.skip_stop_start + 1} ends, and"
                f" --epochs={config.epochs}; give more epochs, or a lower --skip_stop_start."
            )

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        if not self.skip_stop_start < len(history) < facts.epochs:
            return Directions()
        monitors = history[-1].get("monitors", {})
        for kind in normal_cells(facts.cells):
            count = int(monitors.get(f"skips/{kind}", 0))
            if count >= self.skip_stop_count:
                reason = f"the derived cell ({kind}) has {count} skip connections"
                return Directions(stop=Stop(len(history), reason))
        return Directions()

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        # As `skip_count` does in every search; a rule looks at what it measured itself.
        return {f"skips/{kind}": count for kind, count in skips(probe).items()}


@register("ranking_stop")
class RankingStop(EpochRule):
    """Stops a search whose edges rank their learnable operations as before, for some epochs.

    DARTS+'s second criterion: the order of each edge's mixing weights, of the operations that have
    weights of their own, was the same at the ends of `ranking_epochs` epochs as at the ends of
    those before them. The result is the cell of the last one. An epoch of a warm-up, or one in
    which no mixing weight moved, says nothing of a ranking and does not count.
    """

    stops: ClassVar[bool] = True

    ranking_epochs: int = setting(
        10,
        "The search stops after this many epochs in a row without another order of the learnable"
        " operations.",
        unit="epochs",
        minimum=1,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        free = find_space(config.space).parameter_free
        if not any(len(c) > 1 for t in config.cells.values() for c in _learnable(t, free)):
            raise UserError(
                f"--rules={self.name}: no edge of this search has two operations that learn, whose"
                " order could change; leave the rule out."
            )
        needed = frozen_epochs(config) + self.ranking_epochs + 2
        if needed > config.epochs:
            raise UserError(
                f"--rules={self.name}: compares {self.ranking_epochs} epochs in which alpha moves"
                f" with those before, and --epochs={config.epochs}; give --epochs={needed} or more,"
                " or a lower --ranking_epochs."
            )

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        if len(history) >= facts.epochs:
            return Directions()
        columns = {kind: _learnable(t, facts.parameter_free) for kind, t in facts.cells.items()}
        same, later = 0, None
        # The last epoch of a warm-up is the first to be compared with.
        for record in reversed(history[max(0, facts.frozen_epochs - 1) :]):
            tables = {kind: np.asarray(record["mixing"][kind]) for kind in columns}
            if later is not None and any((tables[k] != later[k]).any() for k in columns):
                if _ranking(tables, columns) != _ranking(later, columns):
                    break
                same += 1
            later = tables
        if same < self.ranking_epochs:
            return Directions()
        reason = f"no edge ranked its learnable operations otherwise for {same} epochs"
        return Directions(stop=Stop(len(history), reason))


def _learnable(topology: CellTopology, free: Sequence[str]) -> list[list[int]]:
    """The columns of each edge's operations that have weights of their own."""
    names = map(topology.operations_of, range(topology.edges))
    return [[k for k, name in enumerate(row) if name not in free] for row in names]


def _ranking(
    tables: Mapping[str, np.ndarray], columns: Mapping[str, list[list[int]]]
) -> list[list[int]]:
    """The order of each edge's learnable operations, the strongest first; of equals the first."""
    return [
        np.argsort(-row[learnable], kind="stable").tolist()
        for kind, of_edges in columns.items()
        for row, learnable in zip(tables[kind], of_edges, strict=True)
    ]


register_method(
    "darts_plus",
    "the paper's method, which stops at a cell with two skip connections (Liang et al. 2019)",
    rules=("skip_stop",),
    colour="#a44a3f",
)
