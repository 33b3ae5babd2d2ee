"""Whether classes are the parts of a search method: what a search relies on."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.part_checks import check_gradient as check_term_gradient
from tf_darts.bilevel.part_checks import place_of
from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.cells.costs import Costs
from tf_darts.cells.space import spaces
from tf_darts.cells.topology import CellTopology
from tf_darts.config import methods
from tf_darts.errors import UserError, told
from tf_darts.testing.comparison import differ, expect, expect_equal, float64
from tf_darts.testing.derivatives import random
from tf_darts.testing.differences import check_gradient

# The usual spaces, and one in which every edge is kept and `none` competes.
CELLS: dict[str, Mapping[str, CellTopology]] = {
    "one kind of cell": {
        "cell": CellTopology(1, 3, None, ("none", "skip_connect", "conv"), none_competes=True)
    }
}
EPOCHS = 4  # of the searches whose records rules are given
SEEDS = [tf.constant(seed, tf.int32) for seed in ([1, 2], [3, 4])]
_said: dict[str, float] = {}  # what rules say, while a check runs


def one_sentence(kind: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes an `AssertionError` of one sentence of whatever a part of a kind raises in its check.

    The check gets the part itself, where it is called with a name.
    """

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(check)
        def checked(part: Any, *arguments: Any, **named: Any) -> None:
            part = made(kind, part)
            try:
                check(part, *arguments, **named)
            except AssertionError:
                raise
            except Exception as error:  # of a class that is not ours
                name = type(part).__name__
                if isinstance(error, UserError):
                    raise AssertionError(f"{name}: {error}") from error
                place = place_of(error, type(part))
                raise AssertionError(f"{name}: fails ({told(error)}{place}).") from error

        return checked

    return decorate


@contextlib.contextmanager
def rules_say(numbers: Mapping[str, float] | None) -> Iterator[None]:
    """Inside, `moment_at` has these numbers of rules; None: those of outside."""
    before = dict(_said)
    _said.update(numbers or {})
    try:
        yield
    finally:
        _said.clear()
        _said.update(before)


@one_sentence("relaxation")
def check_relaxation(
    relaxation: Relaxation | str, numbers: Mapping[str, float] | None = None
) -> None:
    """Tries a relaxation as a search uses it, in float64: a second.

    Checked are its variables; that mixing weights have a row for each edge, sum to 1 where it says
    so, and give nothing to what is not allowed; that they are a function of the arguments, compiled
    or not, and are traced once; that their gradients are those of their values; that the reading
    draws nothing.

    Args:
      relaxation: a name, or a relaxation with its settings.
      numbers: what it finds in `moment.numbers`, where a rule of its method says such.

    Raises:
      AssertionError: one sentence that names the class and what failed.
    """
    name = type(relaxation).__name__
    with float64(), rules_say(numbers):
        for what, cells in all_cells().items():
            where = f"{name}, {what}"
            relaxation = relaxation.of(facts_of(cells))
            alphas = _check_variables(relaxation, cells, where)
            for progress in (0.0, 0.5, 1.0):
                moment = moment_at(progress, {})
                _check_mixing(relaxation, alphas, cells, moment, where)
            moment = moment_at(0.5, some_allowed(cells))
            _check_mixing(relaxation, alphas, cells, moment, f"{where}, operations forbidden")
            _check_functions(relaxation, alphas, where)


def made(kind: str, part: Any) -> Any:
    """The part itself; one that is named has its usual settings."""
    return methods.find_parts(kind, part)[0]() if isinstance(part, str) else part


def all_cells() -> dict[str, Mapping[str, CellTopology]]:
    """The topologies that parts are tried on, by what they are."""
    usual = {f"the {s.name} space": s.topologies for s in spaces().values() if s.default}
    return usual | CELLS


def facts_of(cells: Mapping[str, CellTopology]) -> SearchFacts:
    """What a part knows of a search for these cells, whose operations cost what was made up."""
    tables = {
        kind: np.arange(topology.edges * topology.columns).reshape(-1, topology.columns) % 7
        for kind, topology in cells.items()
    }
    costs = Costs(base=10, tables=tables)
    return SearchFacts(cells, EPOCHS, seed=7, learning_rate=0.1, costs=lambda: costs)


def moment_at(progress: float, allowed: Mapping[str, tf.Tensor], seed: int = 0) -> Moment:
    """So far in a search; `ramp` is `progress` too, and the seed one of `SEEDS`."""
    share = tf.constant(progress, tf.float64)
    numbers = {name: tf.constant(value, tf.float64) for name, value in _said.items()}
    return Moment(SEEDS[seed], share, share, allowed, numbers)


def some_allowed(cells: Mapping[str, CellTopology]) -> dict[str, tf.Tensor]:
    """Of the first edge all, of the second one operation, of the third none, of others half."""
    tables = {}
    for name, topology in cells.items():
        table = np.ones([topology.edges, topology.columns])
        table[3:, ::2] = 0.0
        table[1], table[2] = 0.0, 0.0
        table[1, -1] = 1.0
        tables[name] = tf.constant(table, tf.float64)
    return tables


def _check_variables(
    relaxation: Relaxation, cells: Mapping[str, CellTopology], where: str
) -> dict[str, tf.Tensor]:
    made = [relaxation.variables(cells, 1.0, seed) for seed in (7, 7, 8)]
    values = [{k: tf.convert_to_tensor(v) for k, v in variables.items()} for variables in made]
    for kind, topology in cells.items():
        shape = (topology.edges, topology.columns)
        expect(
            kind in values[0] and values[0][kind].shape == shape,
            f"{where}: its variables have no table {shape} for the cell {kind!r}.",
        )
    expect_equal(values[1], values[0], f"{where}: variables of one seed differ")
    # Logits of some size: those of a search's start are all alike.
    return {
        kind: random(700 + i, *value.shape) for i, (kind, value) in enumerate(values[0].items())
    }


def _check_mixing(
    relaxation: Relaxation,
    alphas: Mapping[str, tf.Tensor],
    cells: Mapping[str, CellTopology],
    moment: Moment,
    where: str,
) -> None:
    functions = (relaxation.mixing, relaxation.weight_mixing, relaxation.reading)
    for function in functions:
        what = f"{where}: {function.__name__}"
        mixing = function(alphas, moment)
        expect(set(mixing) == set(cells), f"{what} is of {set(mixing)}, not of {set(cells)}.")
        for kind, topology in cells.items():
            table = np.asarray(mixing[kind])
            shape = (topology.edges, topology.columns)
            expect(table.shape == shape, f"{what} of {kind!r} is {table.shape}, not {shape}.")
            expect(np.isfinite(table).all(), f"{what} of {kind!r} has values that are no numbers.")
            allowed = np.asarray(moment.allowed[kind]) if moment.allowed else np.ones(shape)
            expect(
                (table[allowed == 0] == 0).all(),
                f"{what} of {kind!r} gives weight to operations that are not allowed.",
            )
            sums, free = table.sum(axis=1), allowed.any(axis=1)
            if relaxation.normalized:
                expect(
                    np.allclose(sums[free], 1.0, atol=1e-9) and (table >= 0).all(),
                    f"{what} of {kind!r} has rows that sum to {sums[free].min():.6g} …"
                    f" {sums[free].max():.6g}; set `normalized` to False, or make it 1.",
                )
    factors = relaxation.edge_factors(alphas, moment)
    for kind, topology in cells.items() if factors is not None else ():
        shape = tuple(factors[kind].shape)
        expect(shape == (topology.edges,), f"{where}: edge_factors of {kind!r} is {shape}.")
    slopes = []
    if relaxation.differentiated(alphas, moment) is not NotImplemented:
        slopes.append((relaxation.mixing, relaxation.differentiated))
    if relaxation.two_phases():
        slopes.append((relaxation.weight_mixing, relaxation.weight_mixing))
    for function, differentiated in slopes:
        what = f"{where}: {function.__name__}"
        _check_slopes(function, differentiated, alphas, moment, what)


def _check_slopes(
    function: Callable[..., Any],
    differentiated: Callable[..., Any],
    alphas: Mapping[str, tf.Tensor],
    moment: Moment,
    what: str,
) -> None:
    """Whether the gradients of the one function are the slopes of the other."""
    kinds = list(alphas)

    def value_of(function: Callable[..., Any], tables: list[tf.Tensor]) -> tf.Tensor:
        mixing = function(dict(zip(kinds, tables, strict=True)), moment)
        return tf.add_n([tf.reduce_sum(m * random(800, *m.shape)) for m in mixing.values()])

    def value(tables: list[tf.Tensor]) -> tf.Tensor:
        return value_of(differentiated, tables)

    arguments = list(alphas.values())
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        total = value_of(function, arguments)
    gradients = tape.gradient(total, arguments, unconnected_gradients="zero")
    check_gradient(value, arguments, gradients, kinds, what)


def _check_functions(relaxation: Relaxation, alphas: Mapping[str, tf.Tensor], where: str) -> None:
    """Whether values follow from the arguments alone, in a graph too."""
    moments = [moment_at(progress, {}, seed) for progress in (0.0, 0.75) for seed in (0, 1)]
    for function in (relaxation.mixing, relaxation.weight_mixing, relaxation.reading):
        what = f"{where}: {function.__name__}"
        compiled, traces = _counted(function)
        for moment in moments:
            value = function(alphas, moment)
            expect_equal(function(alphas, moment), value, f"{what} is not the same twice")
            expect_equal(compiled(alphas, moment), value, f"{what} is another compiled")
        expect(len(traces) == 1, f"{what} is traced {len(traces)} times, where once is enough.")
    readings = [relaxation.reading(alphas, moment) for moment in moments[:2]]
    expect(not differ(*readings), f"{where}: reading depends on the seed; it may draw nothing.")


def _counted(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[str]]:
    """The function compiled, and a list that is as long as it was traced often."""
    traces: list[str] = []

    def body(alphas: Any, moment: Moment) -> Any:
        traces.append("")
        return function(alphas, moment)

    return tf.function(body, autograph=False), traces


@one_sentence("alpha_terms")
def check_alpha_term(term: AlphaTerm | str, numbers: Mapping[str, float] | None = None) -> None:
    """Tries an alpha term as a search uses it, in float64: a second.

    Checked are that it is a scalar, the same at the same arguments, compiled or not, and that its
    gradient, where it gives one, is that of its value. That it is a rule too, `check_rule` checks.

    Args:
      term: a name, or a term with its settings.
      numbers: what it finds in `moment.numbers` besides its own, where a rule of its method says
        such.

    Raises:
      AssertionError: one sentence that names the class and what failed.
    """
    name = type(term).__name__
    with float64(), rules_say(numbers):
        for what, cells in all_cells().items():
            alphas = {
                kind: random(900 + i, topology.edges, topology.columns)
                for i, (kind, topology) in enumerate(cells.items())
            }
            facts = facts_of(cells)
            term = term.of(facts)
            with rules_say(term.directions([], facts).numbers):
                for allowed in ({}, some_allowed(cells)):
                    _check_term(term, alphas, moment_at(0.5, allowed), f"{name}, {what}")


def _check_term(
    term: AlphaTerm, alphas: Mapping[str, tf.Tensor], moment: Moment, where: str
) -> None:
    kinds, relaxation = list(alphas), Relaxation()
    own = term.gradient(alphas, relaxation.mixing(alphas, moment), moment)
    if own is not NotImplemented:
        check_term_gradient(term, own, alphas)
        finite = all(np.isfinite(table).all() for table in own.values())
        expect(finite, f"{where}: its gradient has values that are no numbers.")
        again = term.gradient(alphas, relaxation.mixing(alphas, moment), moment)
        expect_equal(again, own, f"{where}: its gradient is not the same twice")
        if type(term).value is AlphaTerm.value:
            return  # it has a gradient alone

    def value(tables: list[tf.Tensor]) -> tf.Tensor:
        at = dict(zip(kinds, tables, strict=True))
        return term.value(at, relaxation.mixing(at, moment), moment)

    arguments = list(alphas.values())
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        total = value(arguments)
    expect(
        tf.is_tensor(total) and total.shape == (),
        f"{where}: its value is {getattr(total, 'shape', total)}, and a scalar tensor is wanted.",
    )
    expect(np.isfinite(float(total)), f"{where}: its value is no number.")
    expect_equal(value(arguments), total, f"{where} is not the same twice")
    compiled = tf.function(value, autograph=False)(arguments)
    expect_equal(compiled, total, f"{where} is another compiled")
    gradients = tape.gradient(total, arguments, unconnected_gradients="zero")
    if own is not NotImplemented:
        gradients = [own[kind] if kind in own else tf.zeros_like(alphas[kind]) for kind in kinds]
    check_gradient(value, arguments, gradients, kinds, where)
