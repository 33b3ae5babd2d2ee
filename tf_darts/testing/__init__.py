"""Checks for members that others write, as scikit-learn's `check_estimator` is for estimators.

    from tf_darts.testing import check_operation

    check_operation(MyOperation)

Each check runs in seconds on toy sizes, returns nothing, and raises an `AssertionError` of one
sentence that names what failed, with the values. The package's own members pass the same checks.
TensorFlow is imported when a check is first used.
"""

import importlib
from typing import Any

from tf_darts.runtime import start_up

_MODULES = {
    "check_accelerated": "tf_darts.testing.accelerated",
    "check_activation": "tf_darts.testing.activation",
    "check_alpha_term": "tf_darts.testing.parts",
    "check_edge_option": "tf_darts.testing.edge_options",
    "check_derivation": "tf_darts.testing.rules",
    "check_method": "tf_darts.testing.method",
    "check_relaxation": "tf_darts.testing.parts",
    "check_rule": "tf_darts.testing.rules",
    "Case": "tf_darts.testing.accelerated",
    "check_objective": "tf_darts.testing.objective",
    "check_space": "tf_darts.testing.space",
    "check_operation": "tf_darts.testing.operation",
    "check_supernet": "tf_darts.testing.supernet",
    "float64": "tf_darts.testing.comparison",
}
__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    """A check, from where it is."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with start_up.first_import():
        importlib.import_module("tf_darts.accelerate")  # fast forms are checked as they are used
        return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
