"""Whether a relaxation and edge options give what a search takes, tried before it begins."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.part_checks import asking, check_shapes
from tf_darts.bilevel.relaxation import Moment, Relaxation, beginning
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import Part
from tf_darts.errors import UserError

_NEAR_1 = 1e-3  # of a sum in float32


def check_mixing(
    relaxation: Relaxation,
    cells: Mapping[str, CellTopology],
    seed: int = 0,
    numbers: Mapping[str, float] | None = None,
) -> None:
    """Tries a relaxation in its first moment, without compiling anything.

    Args:
      relaxation: a member, as one of the search.
      cells: the topology of each kind of cell.
      seed: of its parameters.
      numbers: what rules say in the first epoch, by name.

    Raises:
      UserError: it fails, or what it gives is no table [edges, operations] of finite numbers for
        each kind of cell, or its edges' factors are not [edges].
    """
    tables = {kind: [cell.edges, cell.columns] for kind, cell in cells.items()}
    moment = _first_moment(numbers)
    alphas = _parameters(relaxation, cells, seed)
    for method in ("mixing", "weight_mixing", "reading", "edge_factors"):
        given = _tried(relaxation, method, alphas, moment)
        if method == "edge_factors":
            _check_factors(relaxation, given, cells)
            continue
        subject = f"--relaxation={relaxation.name}: its {method} gives"
        check_shapes(subject, given, tables)
        _check_numbers(subject, given)
        sums = [np.sum(table, axis=-1) for table in given.values()]
        if relaxation.normalized and any((np.abs(of - 1.0) > _NEAR_1).any() for of in sums):
            worst = max((s for of in sums for s in np.ravel(of)), key=lambda s: abs(s - 1.0))
            raise UserError(
                f"{subject} an edge whose mixing weights sum to {worst:.4g}; make it 1, or set"
                " `normalized` to False."
            )


def check_option(
    option: EdgeOption,
    cells: Mapping[str, CellTopology],
    epochs: int,
    seed: int = 0,
    numbers: Mapping[str, float] | None = None,
) -> None:
    """Tries an edge option likewise: its parameters, factors and numbers.

    Args:
      option: a member, as one of the search.
      cells: as of `check_mixing`.
      epochs: T, how many epochs were asked for.
      seed: as there.
      numbers: as there.

    Raises:
      UserError: it fails, or gives no factor [edges] for each kind of cell, or other numbers than
        it says.
    """
    alphas = _parameters(option, cells, seed)
    taken = sorted(alphas.keys() & cells.keys())
    if taken:
        raise UserError(
            f"--edge_options={option.name}: its variables have the names of cells,"
            f" {', '.join(taken)}; give them others."
        )
    alphas |= _parameters(Relaxation(), cells, seed)
    moment = _first_moment(numbers)
    _check_factors(option, _tried(option, "edge_factors", alphas, moment, cells), cells)
    given = _tried(option, "numbers_at", moment, epochs)
    if not isinstance(given, Sequence):
        raise UserError(
            f"--edge_options={option.name}: its numbers_at gives a {type(given).__name__}; it must"
            " give a list of scalars."
        )
    if len(given) != option.numbers or any(np.ndim(number) for number in given):
        raise UserError(
            f"--edge_options={option.name}: its numbers_at gives {len(given)} values of shapes"
            f" {[list(np.shape(number)) for number in given]}; it must give as many scalars as its"
            f" `numbers`, {option.numbers}."
        )


def _first_moment(numbers: Mapping[str, float] | None) -> Moment:
    floatx = keras.config.floatx()
    said = {name: tf.constant(value, floatx) for name, value in (numbers or {}).items()}
    return beginning()._replace(numbers=said)


def _parameters(
    part: Relaxation | EdgeOption, cells: Mapping[str, CellTopology], seed: int
) -> dict[str, tf.Tensor]:
    variables = _tried(part, "variables", cells, 1e-3, seed)
    if not isinstance(variables, Mapping):
        raise UserError(
            f"--{part.kind}={getattr(part, 'name', '')}: its variables gives a"
            f" {type(variables).__name__}; it must give a dict of variables by name."
        )
    alphas = {name: tf.convert_to_tensor(alpha) for name, alpha in variables.items()}
    _check_type(f"--{part.kind}={getattr(part, 'name', '')}: its variables gives", alphas)
    return alphas


def _check_factors(
    part: Relaxation | EdgeOption, given: Any, cells: Mapping[str, CellTopology]
) -> None:
    if given is not None:
        subject = f"--{part.kind}={part.name}: its edge_factors gives"
        check_shapes(subject, given, {kind: [cell.edges] for kind, cell in cells.items()})
        _check_numbers(subject, given)


def _check_numbers(subject: str, given: Mapping[str, Any]) -> None:
    _check_type(subject, given)
    for kind, table in given.items():
        if not np.isfinite(table).all():
            raise UserError(f"{subject} for {kind!r} what is no finite number; mend it.")


def _check_type(subject: str, given: Mapping[str, Any]) -> None:
    floatx = keras.config.floatx()
    for kind, table in given.items():
        dtype = tf.as_dtype(getattr(table, "dtype", np.asarray(table).dtype)).name
        if dtype != floatx:
            raise UserError(
                f"{subject} {dtype} for {kind!r}, and this search computes in {floatx}; make it of"
                " the dtype of alpha, or of keras.config.floatx()."
            )


def _tried(part: Part, method: str, *arguments: Any) -> Any:
    function: Callable[..., Any] = getattr(part, method)
    with asking(part, method):
        return function(*arguments)
