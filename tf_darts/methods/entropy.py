"""A term of α's objective that makes edges choose: the entropy of their mixing weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etils import epy

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.relaxation import Moment, entropy
from tf_darts.config.methods import register
from tf_darts.config.setting import setting

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing


@register("entropy")
class Entropy(AlphaTerm):
    """The mean entropy of the edges' mixing weights: edges are drawn to a choice.

    w·mean_edges(-Σ m ln m), in nats: w·ln(operations) where all weights are equal, 0 where every
    edge has chosen. Its gradient by the logits, -w·m·(ln m + H)/edges, is 0 at either end. A
    negative w holds edges back from choosing. Rows that do not sum to 1 are made to.
    """

    entropy_weight: float = setting(
        0.1,
        "The mean entropy, in nats, counts with this weight; a negative one holds edges back from"
        " choosing.",
        minimum=-1e6,
        maximum=1e6,
    )

    def value(self, alphas: Alphas, mixing: Mixing, moment: Moment) -> tf.Tensor:
        return self.entropy_weight * entropy(mixing, normalized=False)
