"""Whether classes are the rules and derivations of a search method."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.epoch_rules import Directions, EpochRule, SearchFacts, SearchProbe
from tf_darts.bilevel.part_checks import check_edges, checked_directions, checked_measures
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.genotype import Edge
from tf_darts.cells.topology import CellTopology
from tf_darts.testing.comparison import expect, expect_equal
from tf_darts.testing.parts import EPOCHS, all_cells, facts_of, one_sentence


@one_sentence("rules")
def check_rule(rule: EpochRule | str) -> None:
    """Tries a rule on the records of a search that never was: a second.

    Checked are that its directions follow from the records alone, as they are read from a file
    again; that a stop names an epoch that there was, tables of what is allowed fit the cells, and
    what it measures are numbers with names of their own.

    Args:
      rule: a name, or a rule with its settings; also a derivation.

    Raises:
      AssertionError: one sentence that names the class and what failed.
    """
    for what, cells in all_cells().items():
        facts = facts_of(cells)
        _check_rule(rule.of(facts), facts, f"{type(rule).__name__}, {what}")


def _check_rule(rule: EpochRule, facts: SearchFacts, where: str) -> None:
    cells = facts.cells
    history: list[dict[str, Any]] = []
    first = checked_directions(rule, [], facts)
    says_allowed, names = first.allowed is not None, sorted(first.numbers)
    for epoch in range(EPOCHS + 1):
        before = copy.deepcopy(history)
        directions = checked_directions(rule, history, facts)
        expect(history == before, f"{where}: directions changes the records that it is given.")
        read_again = json.loads(json.dumps(history))
        again = checked_directions(rule, read_again, facts)
        expect(
            _as_json(again) == _as_json(directions),
            f"{where}: directions after {epoch} epochs differ when the records are read again.",
        )
        expect(
            directions.stop is None or directions.stop.reason,
            f"{where}: stops after {epoch} epochs and says no reason.",
        )
        expect(
            directions.stop is not None or (directions.allowed is not None) == says_allowed,
            f"{where}: says what is allowed in some epochs and not in others, after {epoch}; a"
            " search would end there: give tables of 1 where all is.",
        )
        ends = directions.stop is not None or directions.back is not None
        expect(
            ends or sorted(directions.numbers) == names,
            f"{where}: its numbers are {sorted(directions.numbers)} after {epoch} epochs, and"
            f" {names} before; give the same names in every epoch.",
        )
        if ends or epoch == EPOCHS:
            return
        record, probe = _record(epoch, cells)
        probe = probe._replace(history=tuple(history))
        measured = checked_measures(rule, probe)
        expect(
            checked_measures(rule, probe) == measured,
            f"{where}: measures of one epoch differ when they are taken twice.",
        )
        for name, value in measured.items():
            expect(
                isinstance(value, int | float | np.number) and np.isfinite(value),
                f"{where}: measures {name!r} as {value!r}; it must be a number.",
            )
            expect("/" in name, f"{where}: measures {name!r}; a name is GROUP/NAME.")
        history.append(record | {"monitors": {k: float(v) for k, v in measured.items()}})


def _record(epoch: int, cells: Mapping[str, CellTopology]) -> tuple[dict[str, Any], SearchProbe]:
    """The record of an epoch in which edges have come nearer to a choice, and the probe of it."""
    mixing = {}
    for i, (kind, topology) in enumerate(cells.items()):
        logits = np.random.default_rng(i).standard_normal((topology.edges, topology.columns))
        powers = np.exp(logits * (1 + epoch))
        mixing[kind] = powers / powers.sum(axis=1, keepdims=True)
    edges = derive(mixing, cells)
    scores = {"loss": 2.0 / (1 + epoch), "score": 1.0 + epoch}
    record = {
        "epoch": epoch + 1,
        "step": 5 * (epoch + 1),
        "entropy": 1.0 / (1 + epoch),
        "mixing": {kind: table.tolist() for kind, table in mixing.items()},
        "cell": str(edges),
        **{f"validation_{name}": value for name, value in scores.items()},
    }
    return record, SearchProbe(
        cells,
        epoch + 1,
        EPOCHS,
        mixing,
        edges,
        evaluate=lambda *_: scores,
        # Of a bowl that grows steeper.
        hessian_products=lambda batches: [lambda v: (1.0 + epoch) * v] * batches,
        parameters=sum(table.size for table in mixing.values()),
        reading=mixing,
        # Of a supernet to which every operation is worth something else.
        worth=lambda tables, _: float(sum(np.sin(t.cumsum()).sum() for t in tables.values())),
    )


def _as_json(directions: Directions) -> Any:
    tables = {k: np.asarray(v).tolist() for k, v in (directions.allowed or {}).items()}
    numbers = {name: float(value) for name, value in directions.numbers.items()}
    others = directions.weight_decay, directions.stop, directions.back
    return directions.freeze_alphas, tables, numbers, *others


@one_sentence("derivation")
def check_derivation(derivation: Derivation | str) -> None:
    """Tries a derivation on random mixing weights, and as the rule that it is: a second.

    Checked are that every node has edges of the topology, as many as it keeps, whose operations
    it may have; that the same weights give the same edges and stay as they are, and that the edges
    make a genotype of each space.

    Args:
      derivation: a name, or a derivation with its settings.

    Raises:
      AssertionError: one sentence that names the class and what failed.
    """
    name = type(derivation).__name__
    check_rule(derivation)
    unbound = derivation
    for what, cells in all_cells().items():
        derivation = unbound.of(facts_of(cells))
        for seed in range(5):
            mixing = _record(seed, cells)[1].mixing
            before = copy.deepcopy(mixing)
            edges = derivation.edges(mixing, cells)
            expect_equal(mixing, before, f"{name}: edges changes the weights that it is given")
            check_edges(derivation, edges, cells)
            same = derivation.edges(mixing, cells) == edges
            expect(same, f"{name}: the same weights do not give the same edges.")
            for kind, topology in cells.items():
                _check_edges(edges[kind], topology, f"{name}, {what}, {kind!r}")


def _check_edges(nodes: list[list[Edge]], topology: CellTopology, where: str) -> None:
    expect(len(nodes) == topology.nodes, f"{where}: {len(nodes)} nodes, not {topology.nodes}.")
    for node, edges in enumerate(nodes):
        sources = [source for _, source in edges]
        expect(
            len(set(sources)) == len(edges) == topology.kept(node),
            f"{where}, node {node}: has edges from {sources}; it keeps {topology.kept(node)}"
            " distinct ones.",
        )
        for name, source in edges:
            choices = topology.choices(topology.rows(node).start + source)
            expect(name in choices, f"{where}, node {node}: {name!r} is none of {choices}.")
