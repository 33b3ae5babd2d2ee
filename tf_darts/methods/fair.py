"""FairDARTS (Chu et al., ECCV 2020): operations that do not compete, driven to 0 or 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from etils import epy

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing


@register("sigmoid")
class Sigmoid(Relaxation):
    """The sigmoid of each logit, by itself: the weights of an edge need not sum to 1."""

    normalized: ClassVar[bool] = False

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        mixing = {name: tf.sigmoid(alpha) for name, alpha in alphas.items()}
        if not moment.allowed:
            return mixing
        return {name: table * moment.allowed[name] for name, table in mixing.items()}


@register("zero_one")
class ZeroOne(AlphaTerm):
    """The negative mean square of the mixing weights' distance from 1/2.

    -w·mean((m - ½)²) over all entries of all tables: 0 at ½, -w/4 where every weight is 0 or 1. It
    pulls on logits away from 0, against the weight decay. The authors' other form is that of the
    distance itself, -w·mean|m - ½|, which pulls as hard near ½ as elsewhere, and at ½ not at all.
    """

    zero_one_weight: float = setting(
        10.0,
        "The mean square of the mixing weights' distance from 1/2 counts with this weight.",
        minimum=0.0,
        maximum=1e6,
    )
    zero_one_form: str = setting(
        "square",
        "What counts is the square of the distance, or the distance itself.",
        choices=("square", "distance"),
        legacy="square",
    )

    def value(self, alphas: Alphas, mixing: Mixing, moment: Moment) -> tf.Tensor:
        entries = tf.concat([tf.reshape(table, [-1]) for table in mixing.values()], axis=0)
        if self.zero_one_form == "distance":
            return -self.zero_one_weight * tf.reduce_mean(tf.abs(entries - 0.5))
        return -self.zero_one_weight * tf.reduce_mean((entries - 0.5) ** 2)


register_method(
    "fair_darts",
    "first order, sigmoids and the zero-one term, without a threshold (Chu et al. 2020)",
    relaxation="sigmoid",
    alpha_terms=("zero_one",),
    hypergradient="first_order",
    settings={"alpha_learning_rate": 3e-3, "alpha_beta_1": 0.9},
    colour="#386641",
)
