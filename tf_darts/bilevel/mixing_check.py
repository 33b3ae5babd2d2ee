"""Whether a relaxation gives what a search takes, tried before it begins."""

import collections
import inspect
import pathlib
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.bilevel.relaxation import Relaxation, beginning
from tf_darts.cells.topology import CellTopology
from tf_darts.errors import UserError, told


def check_mixing(relaxation: Relaxation, cells: Mapping[str, CellTopology], seed: int = 0) -> None:
    """Tries a relaxation in its first moment, without compiling anything.

    Args:
      relaxation: a member, as one of the search.
      cells: the topology of each kind of cell.
      seed: of its parameters.

    Raises:
      UserError: it fails, or what it gives is no table [edges, operations] for each kind of cell,
        or its edges' factors are not [edges].
    """
    tables = {kind: [cell.edges, cell.columns] for kind, cell in cells.items()}
    factors = {kind: shape[:1] for kind, shape in tables.items()}
    # What rules will say is not known yet, nor by which names.
    numbers = collections.defaultdict(lambda: tf.zeros([], keras.config.floatx()))
    moment = beginning()._replace(numbers=numbers)
    variables = _tried(relaxation, "variables", cells, 1e-3, seed)
    alphas = {name: tf.convert_to_tensor(alpha) for name, alpha in variables.items()}
    for method in ("mixing", "weight_mixing", "reading", "edge_factors"):
        given = _tried(relaxation, method, alphas, moment)
        if method == "edge_factors" and given is None:
            continue
        wanted = factors if method == "edge_factors" else tables
        _check_shapes(f"--relaxation={relaxation.name}: its {method} gives", given, wanted)


def _tried(relaxation: Relaxation, method: str, *arguments: Any) -> Any:
    function: Callable[..., Any] = getattr(relaxation, method)
    try:
        return function(*arguments)
    except UserError:
        raise
    except Exception as error:  # of a class that is not ours
        file = inspect.getsourcefile(type(relaxation))
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        place = f", {pathlib.Path(file).name}, line {lines[-1]}" if file and lines else ""
        raise UserError(
            f"--relaxation={relaxation.name}: its {method} fails ({told(error)}{place}); mend it,"
            " and try it with tf_darts.testing.check_relaxation."
        ) from error


def _check_shapes(subject: str, given: Any, wanted: Mapping[str, list[int]]) -> None:
    needed = f"it must give {_in_words(wanted)}"
    if not isinstance(given, Mapping):
        raise UserError(f"{subject} no dict, but a {type(given).__name__}; {needed}.")
    actual = {kind: list(np.shape(given[kind])) for kind in wanted if kind in given}
    if actual != wanted:
        raise UserError(f"{subject} {_in_words(actual) or 'no kind of cell'}; {needed}.")


def _in_words(shapes: Mapping[str, list[int]]) -> str:
    return ", ".join(f"{shape} for {kind!r}" for kind, shape in shapes.items())
