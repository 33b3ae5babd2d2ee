"""Data sets that files of others register: their loaders, by name, without TensorFlow.

`config/datasets.py` fills the tables, because flags are read before data are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tf_darts.errors import UserError, told

IMAGES: dict[str, Callable[[Any, str], tuple[Any, Any, Sequence[str]]]] = {}
TEXTS: dict[str, Callable[[Any, bool], Mapping[str, Sequence[str]]]] = {}


def loaded(name: str, load: Callable[..., Any], *arguments: Any) -> Any:
    """What a loader gives; raises `UserError` where it fails in whatever way."""
    try:
        return load(*arguments)
    except UserError:
        raise
    except Exception as error:
        none = " give the --data_dir that it may need, which is missing, or" * (
            arguments[0] is None
        )
        raise UserError(
            f"--dataset={name}: its loader failed ({told(error)});{none} mend the file that"
            " registers it."
        ) from error
