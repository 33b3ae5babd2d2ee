"""What the row of a candidate must be, where it is read from a file."""

import math
from collections.abc import Mapping
from typing import Any

from tf_darts.cells.genotype import SPACES
from tf_darts.errors import StateError, UserError


def check_row(row: Any, location: str, advice: str) -> None:
    """Checks a candidate of `ranking.json` or `candidate.json`; see `ranking.py` for what it has.

    Args:
      row: as it was read.
      location: the file and what else tells the row, the beginning of the sentence.
      advice: what to do, its end.

    Raises:
      StateError: something is missing, or cannot be.
    """
    reason = _fault(row)
    if reason:
        raise StateError(f"{location}: is no result of a candidate ({reason}); {advice}.")


def _fault(row: Any) -> str:
    """What is wrong; "" if nothing is."""
    if not isinstance(row, Mapping):
        return "it is no object"
    missing = [name for name in (*_KINDS, "genotype", "score") if name not in row]
    if missing:
        return f"it has no {missing[0]!r}"
    for name, kind in _KINDS.items():
        if not isinstance(row[name], kind) or isinstance(row[name], bool):
            return f"its {name!r} cannot be {row[name]!r:.60}"
    completed, score = row["status"] == "completed", row["score"]
    if not completed:
        return "" if row["status"] == "failed" and score is None else "its 'status' and 'score'"
    if not is_number(score):
        return f"its 'score' cannot be {score!r:.60}"
    try:
        cell = SPACES[row["space"]].from_dict(row["genotype"])
    except (KeyError, TypeError, UserError) as error:
        return f"its 'genotype': {str(error).rstrip('.')}"
    if str(cell) != row["cell"]:
        return "its 'cell' is not that of its 'genotype'"
    points = row["snapshots"]
    if not all(isinstance(point, Mapping) and point.keys() >= _POINT for point in points):
        return "its 'snapshots'"
    if not all(is_number(point[name]) for point in points for name in _POINT):
        return "its 'snapshots'"
    return ""


def is_number(value: Any, *, allow_none: bool = False) -> bool:
    """Whether a value of a JSON file is a finite number, or null where that is allowed."""
    if value is None:
        return allow_none
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_KINDS: dict[str, Any] = {
    "name": str,
    "source": str,
    "seed": int | None,
    "space": str,
    "settings": Mapping,
    "status": str,
    "reason": str,
    "cell": str,
    "counts": Mapping,
    "search_seconds": int | float,
    "training_seconds": int | float,
    "snapshots": list,
}
_POINT = {"epoch", "search_seconds", "score"}
