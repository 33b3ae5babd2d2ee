"""All of a method that decides between a search's epochs, as one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.epoch_rules import (
    Directions,
    EpochRule,
    Record,
    SearchFacts,
    SearchProbe,
    combined,
)
from tf_darts.bilevel.part_checks import (
    asking,
    check_edges,
    checked_directions,
    checked_kept,
    checked_measures,
)
from tf_darts.cells.genotype import Edge
from tf_darts.config.search import SearchConfig
from tf_darts.errors import UserError
from tf_darts.runtime.run_loop import Scalars

CellEdges = dict[str, list[list[Edge]]]


class SearchRules:
    """The rules of a search, its alpha terms (which may be rules too) and its derivation.

    What they say is a function of the history, which is a part of every checkpoint, so a killed
    search is told the same when it goes on. They do not see what a table of trained cells says: it
    is in the records for people.

    Args:
      config: names the parts.
      facts: what they know of the search.
    """

    def __init__(self, config: SearchConfig, facts: SearchFacts) -> None:
        self._facts = facts
        self._derivation: Derivation = config.make_parts("derivation")[0].of(facts)
        rules: tuple[EpochRule, ...] = (
            *config.make_parts("rules"),
            *config.make_monitors(),
            *config.make_parts("alpha_terms"),
        )
        self._rules = tuple(rule.of(facts) for rule in rules)
        self._said: list[tuple[list[str], bool]] = []  # by each: names of numbers, whether a mask

    def directions(self, history: Sequence[Record]) -> Directions:
        """How the next epoch goes, by the records of those that are over."""
        seen = _seen(history)
        each = [
            checked_directions(rule, seen, self._facts) for rule in (*self._rules, self._derivation)
        ]
        self._check_alike(each)
        return combined(each)

    def _check_alike(self, each: Sequence[Directions]) -> None:
        """Raises `UserError` where two give one number, or one says of other things than before.

        What is compiled takes numbers of these names, and masks or none.
        """
        if any(said.stop or said.back for said in each):
            return  # no epoch goes by these
        givers: dict[str, EpochRule] = {}
        for rule, said in zip((*self._rules, self._derivation), each, strict=True):
            for name in said.numbers:
                if (other := givers.setdefault(name, rule)) is not rule:
                    raise UserError(
                        f"--{other.kind}={other.name} and --{rule.kind}={rule.name} both give a"
                        f" number {name!r}, and parts would find one of them; give one of the two"
                        " another name."
                    )
        now = [(sorted(said.numbers), bool(said.allowed)) for said in each]
        before, self._said = self._said or now, now
        for rule, mine, theirs in zip((*self._rules, self._derivation), now, before, strict=True):
            if mine[0] != theirs[0]:
                raise UserError(
                    f"--{rule.kind}={rule.name}: its directions have the numbers {mine[0]}, and had"
                    f" {theirs[0]} in another epoch; give the same names in every epoch."
                )
            if mine[1] != theirs[1]:
                raise UserError(
                    f"--{rule.kind}={rule.name}: its directions say in some epochs what is allowed,"
                    " and not in others; give tables of 1 where all is."
                )

    def chosen_record(self, history: Sequence[Record]) -> tuple[Record, str]:
        """The record of the epoch whose cell is the result so far, and why the search stopped."""
        stop = self.directions(history).stop
        return (history[-1], "") if stop is None else (history[stop.epoch - 1], stop.reason)

    def kept(self, epoch: int) -> set[int]:
        """The epochs to whose ends the search may go back, when this one is over."""
        each = (checked_kept(rule, epoch) for rule in (*self._rules, self._derivation))
        return set().union(*each)

    def edges(
        self,
        mixing: Mapping[str, np.ndarray],
        history: Sequence[Record],
        measured: Sequence[Scalars] = (),
    ) -> CellEdges:
        """Of the cell that is derived now, or when the derivation has measured this besides."""
        records = [*_seen(history), *({"monitors": monitors} for monitors in measured)]
        with asking(self._derivation, "edges"):
            edges = self._derivation.edges_after(mixing, self._facts.cells, records)
        check_edges(self._derivation, edges, self._facts.cells)
        return edges

    def measure(self, probe: SearchProbe, history: Sequence[Record]) -> tuple[Scalars, CellEdges]:
        """What rules and derivation measure of the epoch that ends, and the derived cell's edges.

        The derivation is first, since its cell may depend on what it measures.
        """
        probe = probe._replace(history=tuple(_seen(probe.history)))
        decided = checked_measures(self._derivation, probe)
        edges = self.edges(probe.mixing, history, [decided])
        probe = probe._replace(edges=edges)
        each = [(rule, checked_measures(rule, probe)) for rule in self._rules]
        measured: Scalars = {}
        givers: dict[str, EpochRule] = {}
        for rule, own in (*each, (self._derivation, decided)):
            for name, value in own.items():
                other = givers.setdefault(name, rule)
                if not np.array_equal(measured.setdefault(name, value), value, equal_nan=True):
                    raise UserError(
                        f"--{other.kind}={other.name} and --{rule.kind}={rule.name} both measure"
                        f" {name!r}, {measured[name]:g} and {value:g}, and the record has room for"
                        " one; give one of the two another name."
                    )
        return measured, edges


def _seen(history: Sequence[Record]) -> list[dict[str, Any]]:
    """The records as rules and derivation see them: without what a table says of cells."""
    return [{k: v for k, v in record.items() if k != "table"} for record in history]
