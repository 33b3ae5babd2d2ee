"""The members of search methods: one file each, found by its name.

What a file of one's own needs (docs/own_method.md) is here. Nothing imports TensorFlow before
something is computed.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.epoch_rules import (
    Directions,
    EpochRule,
    Return,
    SearchFacts,
    SearchProbe,
    Stop,
)
from tf_darts.bilevel.relaxation import Moment, Relaxation, softmax
from tf_darts.config.hypergradients import register_hypergradient
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting

if TYPE_CHECKING:
    from tf_darts.bilevel.hypergradient import estimated
    from tf_darts.spaces.edge_wrappers import WrappedEdge

_WITH_TENSORFLOW = {
    "WrappedEdge": "tf_darts.spaces.edge_wrappers",
    "estimated": "tf_darts.bilevel.hypergradient",
}

__all__ = [
    "AlphaTerm",
    "Derivation",
    "Directions",
    "EdgeOption",
    "EpochRule",
    "Moment",
    "Relaxation",
    "Return",
    "SearchFacts",
    "SearchProbe",
    "Stop",
    "WrappedEdge",
    "estimated",
    "register",
    "register_hypergradient",
    "register_method",
    "setting",
    "softmax",
]


def __getattr__(name: str) -> Any:
    if name not in _WITH_TENSORFLOW:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WITH_TENSORFLOW[name]), name)
