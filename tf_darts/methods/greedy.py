"""SGAS (Li et al., CVPR 2020): edges are decided one by one while the search goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_darts.bilevel.edge_options import check_lost_edges
from tf_darts.bilevel.epoch_rules import (
    Directions,
    EpochRule,
    Record,
    SearchFacts,
    SearchProbe,
    frozen_epochs,
)
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError

_DECIDED = "decided"  # the group of monitors KIND_ROW, whose values are columns
_DERIVATION = "strongest_edges"  # which keeps a mixing weight of 1
_ROUNDING = 1e-6  # of sums of float32 mixing weights, and of what lies in [0, 1] as they do


@register("greedy_decisions")
class GreedyDecisions(EpochRule):
    """Decides the edge of each kind of cell that is the surest, and then the next, for good.

    At the end of epoch `greedy_warm_up` (from 0) and of every `greedy_epochs`-th after it, the
    undecided edge with the largest score keeps its strongest operation alone. A node that has as
    many decided edges as a discrete cell keeps loses the others. The score is n(I)·n(C), or by
    criterion 2 n(I)·n(C)·n(S), of an edge's mixing weights p:

      I  importance: the sum of p, without `none`;
      C  certainty: 1 - H(q)/ln(operations), of q = p without `none`, made to sum to 1;
      S  stability: the mean over the last `greedy_history` epochs before of Σ min(q, q then);
      n  made to lie in [0, 1] over all edges of the kind: (x - min)/(max - min).

    A factor of the whole edge (`edge_normalization`) is not in p. Edges that are decided, or gone,
    count in n with the p that they had then. Where all edges have one value n is 1: it tells none
    apart. What is out has no gradient; what Adam still has of it moves its α for a while, but not
    its mixing weight. (The official code divides by 0 there; its batches also grow by 8 with each
    decision, which ours do not.)
    """

    greedy_warm_up: int = setting(
        9,
        "This many epochs pass before the one at whose end the first decision falls.",
        unit="epochs",
        minimum=0,
        maximum=10**6,
    )
    greedy_epochs: int = setting(
        5,
        "Each further decision falls after this many more epochs.",
        unit="epochs",
        minimum=1,
        maximum=10**6,
    )
    greedy_criterion: int = setting(
        1,
        "The edges are decided by importance and certainty (1), or by their stability too (2).",
        minimum=1,
        maximum=2,
    )
    greedy_history: int = setting(
        4,
        "Criterion 2 takes the stability over this many earlier epochs.",
        unit="epochs",
        minimum=1,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        if "edge_normalization" not in config.edge_options:  # whose factors are 0 there
            check_lost_edges(self, config)
        if not config.make_parts("relaxation")[0].normalized:
            raise UserError(
                f"--rules={self.name}: the mixing weights of --relaxation={config.relaxation} do"
                " not sum to 1, so a decided edge has no mixing weight of 1; take another"
                " relaxation, or leave the rule out."
            )
        if config.make_parts("derivation")[0].more_epochs(config.cells):
            raise UserError(
                f"--rules={self.name} and --derivation={config.derivation} both decide edges;"
                " leave one of the two out."
            )
        if config.derivation != _DERIVATION:
            raise UserError(
                f"--rules={self.name} decides edges for good, which --derivation="
                f"{config.derivation} may choose otherwise; leave one of the two out."
            )
        if "frozen_alphas" in (rule.name for rule in config.make_parts("rules")):
            raise UserError(
                f"--rules=frozen_alphas,{self.name}: alpha never moves, and what is decided by it"
                " is random; leave one of the two out."
            )
        if self.greedy_criterion == 1 and self.greedy_history != type(self)().greedy_history:
            raise UserError(
                "--greedy_history has no meaning with --greedy_criterion=1, which looks at no"
                " stability; leave it out."
            )
        still = frozen_epochs(config)
        if self.greedy_warm_up < still:
            raise UserError(
                f"--rules=warm_up,{self.name}: alpha stands still for --warm_up_epochs={still}, and"
                f" what is decided before is random; give --greedy_warm_up={still} or more."
            )
        decisions = max(map(_decisions, config.cells.values()))
        last = self.greedy_warm_up + self.greedy_epochs * (decisions - 1)
        # One epoch more, by which the last decision is in the cell that is read.
        if last + 2 > config.epochs:
            raise UserError(
                f"--rules={self.name}: takes the last of {decisions} decisions after epoch"
                f" {last + 1}, and --epochs={config.epochs}; give --epochs={last + 2} or more, or"
                " a lower --greedy_warm_up or --greedy_epochs."
            )

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        allowed = {kind: _allowed(history, kind, t) for kind, t in facts.cells.items()}
        return Directions(allowed=allowed)

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        epoch = probe.epoch - 1
        since = epoch - self.greedy_warm_up
        if since < 0 or since % self.greedy_epochs:
            return {}
        records = [*probe.history, {"mixing": probe.mixing}]
        decided = {}
        for kind, topology in probe.cells.items():
            settled = _settled(probe.history, kind, topology)
            if settled.all():
                continue
            tables = _tables(records, kind, topology)
            row = int(np.argmax(np.where(settled, -1.0, self._scores(tables, topology))))
            decided[f"{_DECIDED}/{kind}_{row}"] = _strongest(tables[-1][row], topology, row)
        return decided

    def _scores(self, tables: Sequence[np.ndarray], topology: CellTopology) -> np.ndarray:
        """How sure each edge is, [edges], of the mixing weights of the epochs until now."""
        shares = [_without_none(table, topology) for table in tables]
        importance = np.where(_is_operation(topology), tables[-1], 0.0).sum(axis=1)
        scores = _spread(importance) * _spread(_certainty(shares[-1], topology))
        if self.greedy_criterion == 2:
            before = shares[-1 - self.greedy_history : -1]
            common = [np.minimum(shares[-1], share).sum(axis=1) for share in before]
            scores *= _spread(np.mean(common, axis=0) if common else np.zeros_like(scores))
        return scores


def _decisions(topology: CellTopology) -> int:
    """How many edges of a cell are decided: those that a discrete one keeps."""
    return sum(map(topology.kept, range(topology.nodes)))


def _columns(history: Sequence[Record], kind: str) -> dict[int, int]:
    """The decided edges of a kind of cell, with the columns of their operations."""
    columns = {}
    for record in history:
        for name, value in record.get("monitors", {}).items():
            group, _, place = name.partition("/")
            of, _, row = place.rpartition("_")
            if (group, of) == (_DECIDED, kind):
                columns[int(row)] = int(value)
    return columns


def _allowed(history: Sequence[Record], kind: str, topology: CellTopology) -> np.ndarray:
    """What is decided: one operation of decided edges, none of those that are gone; else all."""
    columns = _columns(history, kind)
    table = np.ones([topology.edges, topology.columns])
    for row, column in columns.items():
        table[row] = np.arange(topology.columns) == column
    for node in range(topology.nodes):
        rows = range(topology.edges)[topology.rows(node)]
        if len(columns.keys() & set(rows)) >= topology.kept(node):
            table[[row for row in rows if row not in columns]] = 0.0
    return table


def _tables(history: Sequence[Record], kind: str, topology: CellTopology) -> list[np.ndarray]:
    """The mixing weights at each epoch's end; an edge's stay as they were when it was settled.

    Without the edges' factors: mixing weights sum to 1.
    """
    tables: list[np.ndarray] = []
    for epoch, record in enumerate(history):
        table = np.array(record["mixing"][kind])
        total = table.sum(axis=1, keepdims=True)
        table = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
        settled = _settled(history[:epoch], kind, topology)
        tables.append(np.where(settled[:, np.newaxis], tables[-1], table) if epoch else table)
    return tables


def _settled(history: Sequence[Record], kind: str, topology: CellTopology) -> np.ndarray:
    """Whether an edge is decided or gone, [edges]."""
    gone = ~_allowed(history, kind, topology).any(axis=1)
    gone[list(_columns(history, kind))] = True
    return gone


def _is_operation(topology: CellTopology) -> np.ndarray:
    """Which entries of a table are of operations other than `none`."""
    names = map(topology.operations_of, range(topology.edges))
    return np.array([[name != "none" for name in row] for row in names])


def _without_none(table: np.ndarray, topology: CellTopology) -> np.ndarray:
    """Its rows without `none`, made to sum to 1; of nothing else nothing."""
    rest = np.where(_is_operation(topology), table, 0.0)
    total = rest.sum(axis=1, keepdims=True)
    return np.divide(rest, total, out=np.zeros_like(rest), where=total > 0)


def _certainty(shares: np.ndarray, topology: CellTopology) -> np.ndarray:
    """1 - H(q)/ln(operations) of each edge; 1 where there is but one operation."""
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    most = np.log(_is_operation(topology).sum(axis=1))
    entropy = -(shares * logs).sum(axis=1)
    return 1.0 - np.divide(entropy, most, out=np.zeros_like(entropy), where=most > 0)


def _spread(values: np.ndarray) -> np.ndarray:
    """Made to lie in [0, 1]; 1 where all are equal, but for rounding."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high - low > _ROUNDING else np.ones_like(values)


def _strongest(weights: np.ndarray, topology: CellTopology, row: int) -> int:
    """The column of the strongest operation that the edge may have in a discrete cell."""
    names, choices = topology.operations_of(row), topology.choices(row)
    return max((k for k, name in enumerate(names) if name in choices), key=lambda k: weights[k])


register_method(
    "sgas",
    "first order, and edges decided one by one as the search goes on (Li et al. 2020)",
    rules=("greedy_decisions",),
    hypergradient="first_order",
    colour="#c2255c",
)
