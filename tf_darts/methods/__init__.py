"""The members of search methods: one file each, found by its name.

What a file of one's own needs (docs/own_method.md) is here. Nothing imports TensorFlow before
something is computed.
"""

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.epoch_rules import Directions, EpochRule, SearchFacts, SearchProbe, Stop
from tf_darts.bilevel.relaxation import Moment, Relaxation, softmax
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting

__all__ = [
    "AlphaTerm",
    "Derivation",
    "Directions",
    "EdgeOption",
    "EpochRule",
    "Moment",
    "Relaxation",
    "SearchFacts",
    "SearchProbe",
    "Stop",
    "register",
    "register_method",
    "setting",
    "softmax",
]
