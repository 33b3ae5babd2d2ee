"""What parts of a method say, looked at before a search goes by it.

A part may be a class of the user's (`--load=FILE.py`): its mistakes are told in one sentence that
names it, and none of them leads a search astray in silence.
"""

import contextlib
import dataclasses
import inspect
import math
import pathlib
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tf_darts.bilevel.epoch_rules import (
    Directions,
    EpochRule,
    Record,
    Return,
    SearchFacts,
    SearchProbe,
    Stop,
)
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import Part
from tf_darts.errors import UserError, told

_CHECKS = {
    "relaxation": "check_relaxation",
    "alpha_terms": "check_alpha_term",
    "rules": "check_rule",
    "derivation": "check_derivation",
    "edge_options": "check_edge_option",
}
_OURS = "tf_darts."
# Of the machine, not of the part; TensorFlow's by its name, since this file does without it.
_OTHERS_FAULTS = "ResourceExhaustedError", "MemoryError", "Stopped"


@contextlib.contextmanager
def asking(part: Part, method: str) -> Iterator[None]:
    """Makes a `UserError` of what fails while a part of the user's is asked.

    What fails in a part of ours is a fault of ours, and stays as it is.

    Args:
      part: that is asked.
      method: by which.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of a class that is not ours
        if type(part).__module__.startswith(_OURS) or type(error).__name__ in _OTHERS_FAULTS:
            raise
        raise UserError(
            f"{_flag(part)}: its {method} fails ({told(error)}{place_of(error, type(part))}); mend"
            f" it, and try it with tf_darts.testing.{_CHECKS[part.kind]}."
        ) from error


def place_of(error: BaseException, cls: type) -> str:
    """Where in a class's own file an error came from: ", FILE.py, line 7"; "" if not there."""
    try:
        file = inspect.getsourcefile(cls)
    except TypeError:  # it was not read from a file
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f", {pathlib.Path(file).name}, line {lines[-1]}" if file and lines else ""


def checked_directions(
    rule: EpochRule, history: Sequence[Record], facts: SearchFacts
) -> Directions:
    """What a rule says of the next epoch.

    Args:
      rule: a rule, an alpha term or a derivation.
      history: the records of the epochs that are over.
      facts: of the search.

    Raises:
      UserError: it fails, or a search cannot go by what it says.
    """
    with asking(rule, "directions"):
        said = rule.directions(history, facts)
    epochs = "1 epoch" if len(history) == 1 else f"{len(history)} epochs"
    subject = f"{_flag(rule)}: its directions after {epochs}"
    if not isinstance(said, Directions):
        raise UserError(f"{subject} are a {type(said).__name__}; it must give `Directions(…)`.")
    rate, decay = said.weight_learning_rate, said.weight_decay
    for name, value in (("weight_learning_rate", rate), ("weight_decay", decay)):
        if value is not None and not (_is_number(value) and value >= 0):
            raise UserError(f"{subject} have {name}={value!r}; it must be a number, 0 or more.")
    for name, value in (("numbers", said.numbers), ("allowed", said.allowed)):
        if not isinstance(value, Mapping | None):
            raise UserError(f"{subject} have {name} of a {type(value).__name__}; give a dict.")
    for name, number in said.numbers.items():
        if not _is_number(number):
            raise UserError(f"{subject} have numbers[{name!r}]={number!r}; it must be a number.")
    for kind, table in (said.allowed or {}).items():
        if kind not in facts.cells:
            known = ", ".join(map(repr, facts.cells))
            raise UserError(f"{subject} allow operations of {kind!r}; the cells are {known}.")
        shape = facts.cells[kind].edges, facts.cells[kind].columns
        values = np.asarray(table)
        if values.shape != shape or not np.isin(values, (0, 1)).all():
            raise UserError(
                f"{subject} have a table allowed[{kind!r}] of {list(values.shape)}; it must be"
                f" {list(shape)}, of 0 and 1."
            )
    for what, answer, kind in (("stop", said.stop, Stop), ("go back", said.back, Return)):
        if answer is None:
            continue
        if not isinstance(answer, kind) or not 1 <= answer.epoch <= len(history):
            raise UserError(
                f"{subject} {what} with {answer!r}; it must be a `{kind.__name__}` that names one"
                " of the epochs that there were, counted from 1."
            )
    if said.back is None:
        return said
    if said.back.epoch not in (named := checked_kept(rule, len(history))):
        raise UserError(
            f"{subject} go back to epoch {said.back.epoch}, and its kept({len(history)}) names"
            f" {sorted(named) or 'none'}; it must name the epochs to whose ends the search may go."
        )
    measured = _numbers(f"{subject} go back and add", said.back.measured)
    return dataclasses.replace(said, back=said.back._replace(measured=measured))


def checked_kept(rule: EpochRule, epoch: int) -> set[int]:
    """The epochs to whose ends a rule may take the search back when this one is over.

    Raises:
      UserError: it fails, or what it gives are no numbers of epochs.
    """
    with asking(rule, "kept"):
        named = rule.kept(epoch)
    if not isinstance(named, Collection) or not all(isinstance(e, int | np.integer) for e in named):
        raise UserError(
            f"{_flag(rule)}: its kept gives {_short(named)}; it must give the numbers of epochs."
        )
    return set(map(int, named))


def checked_measures(rule: EpochRule, probe: SearchProbe) -> dict[str, float]:
    """What a rule measures of the epoch that ends.

    Raises:
      UserError: it fails, or what it gives are no numbers by name.
    """
    with asking(rule, "measure"):
        measured = rule.measure(probe)
    return _numbers(f"{_flag(rule)}: its measure gives", measured)


def _numbers(subject: str, measured: Any) -> dict[str, float]:
    """What is to stand in a record's "monitors"; raises `UserError` where it is something else."""
    if not isinstance(measured, Mapping):
        raise UserError(f"{subject} a {type(measured).__name__}; it must give a dict of numbers.")
    for name, value in measured.items():
        if not _is_scalar(value):
            raise UserError(f"{subject} {name!r} as {_short(value)}; it must be a number.")
    return {name: float(value) for name, value in measured.items()}


def check_edges(derivation: Part, edges: Any, cells: Mapping[str, CellTopology]) -> None:
    """Raises `UserError` where what a derivation gives are no edges of cells."""
    for kind, cell in cells.items():
        nodes = edges.get(kind) if isinstance(edges, Mapping) else None
        right = isinstance(nodes, Sequence) and len(nodes) == cell.nodes
        if right and all(_are_edges(own, cell, node) for node, own in enumerate(nodes)):
            continue
        raise UserError(
            f"{_flag(derivation)}: its edges of {kind!r} are {_short(nodes)}; it must give a list"
            f" for each of {cell.nodes} nodes, of (operation, source) pairs: one of the operations"
            " that the edge may have, and the number of an input or of an earlier node."
        )


def _are_edges(edges: Any, cell: CellTopology, node: int) -> bool:
    rows = cell.rows(node)
    return isinstance(edges, Sequence) and all(
        isinstance(edge, Sequence)
        and len(edge) == 2
        and isinstance(edge[1], int | np.integer)
        and 0 <= edge[1] < rows.stop - rows.start
        and edge[0] in cell.choices(rows.start + edge[1])
        for edge in edges
    )


def check_value(term: Part, value: Any) -> None:
    """Raises `UserError` where the value of an alpha term is no scalar."""
    if value is None or np.shape(value) != ():
        what = "None" if value is None else f"{list(np.shape(value))}"
        raise UserError(f"{_flag(term)}: its value gives {what}; it must give a scalar tensor.")


def check_gradient(term: Part, gradient: Any, alphas: Mapping[str, Any]) -> None:
    """Raises `UserError` where the gradient of an alpha term is not like α, or like a part of α."""
    wanted = {name: list(alpha.shape) for name, alpha in alphas.items()}
    if isinstance(gradient, Mapping) and gradient.keys() <= wanted.keys():
        wanted = {name: wanted[name] for name in gradient}
    check_shapes(f"{_flag(term)}: its gradient gives", gradient, wanted)


def check_shapes(subject: str, given: Any, wanted: Mapping[str, list[int]]) -> None:
    """Raises `UserError` where tensors by name have not the shapes that are wanted.

    Args:
      subject: of the sentence, as "--relaxation=mine: its mixing gives".
      given: what a part gave.
      wanted: the shapes by the kind of cell.
    """
    needed = f"it must give {_in_words(wanted)}"
    if not isinstance(given, Mapping):
        raise UserError(f"{subject} no dict, but a {type(given).__name__}; {needed}.")
    actual = {kind: list(np.shape(table)) for kind, table in given.items()}
    if actual != dict(wanted):
        raise UserError(f"{subject} {_in_words(actual) or 'no kind of cell'}; {needed}.")


def _in_words(shapes: Mapping[str, list[int]]) -> str:
    return ", ".join(f"{shape} for {kind!r}" for kind, shape in shapes.items())


def _flag(part: Part) -> str:
    return f"--{part.kind}={getattr(part, 'name', type(part).__name__)}"


def _is_number(value: Any) -> bool:
    return _is_scalar(value) and not isinstance(value, bool) and math.isfinite(float(value))


def _is_scalar(value: Any) -> bool:
    """Whether it is a number, or an array or tensor of one."""
    if isinstance(value, int | float | np.number):
        return True
    return hasattr(value, "dtype") and np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "…"
