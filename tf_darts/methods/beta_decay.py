"""β-DARTS (Ye et al., CVPR 2022): a penalty that keeps the logits of an edge together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etils import epy

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.relaxation import Moment
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing


@register("beta_decay")
class BetaDecay(AlphaTerm):
    """The mean over edges of log Σ exp α, whose factor rises from 0 over the epochs.

    λ(e)·mean_edges logsumexp(α), λ(e) = last·e/T. Its gradient, λ·softmax(α)/edges, pulls large
    logits down in proportion to their mixing weights. The means of several kinds of cell are
    added. (The official code has λ = e/2 whatever T is: 50 in the end over NAS-Bench-201's 100
    epochs, 25 over the 50 of the DARTS space; its script for that space fails.)
    """

    beta_weight: float = setting(
        50.0,
        "The beta decay counts with this weight, lambda, in the end; it rises from 0 with the"
        " epochs.",
        minimum=0.0,
        maximum=1e6,
    )

    def value(self, alphas: Alphas, mixing: Mixing, moment: Moment) -> tf.Tensor:
        # Only the tables of logits: a method may have other architecture parameters beside them.
        means = [tf.reduce_mean(tf.reduce_logsumexp(alphas[name], axis=-1)) for name in mixing]
        return self.beta_weight * moment.progress * tf.add_n(means)


register_method(
    "beta_darts",
    "first-order DARTS with a decay of beta, the mixing weights (Ye et al. 2022)",
    alpha_terms=("beta_decay",),
    hypergradient="first_order",
    colour="#2a9d9d",
)
