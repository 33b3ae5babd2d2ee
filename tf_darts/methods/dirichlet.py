"""DrNAS (Chen et al., ICLR 2021): mixing weights drawn from a Dirichlet distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from etils import epy

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.relaxation import Moment, Relaxation, softmax
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing

# Of a concentration: below it, gamma samples underflow.
_LEAST = 1e-6


def concentration(alpha: tf.Tensor) -> tf.Tensor:
    """C = elu(α) + 1, at least 1e-6: 1 at the start, where the distribution is flat."""
    return tf.maximum(tf.nn.elu(alpha) + 1.0, tf.cast(_LEAST, alpha.dtype))


@register("dirichlet")
class Dirichlet(Relaxation):
    """A sample of each edge from Dir(elu(alpha) + 1), with implicit gradients.

    Gamma samples of the concentrations, made to sum to 1; their gradients by c are implicit
    (`tf.random.stateless_gamma`), which is of first order alone. What is read is the softmax, whose
    order is that of the means c/Σc.
    """

    twice_differentiable: ClassVar[bool] = False

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        drawn = {}
        for number, (name, alpha) in enumerate(alphas.items()):
            seed = tf.random.experimental.stateless_fold_in(moment.seed, number)
            parts = tf.random.stateless_gamma(
                alpha.shape, seed, alpha=concentration(alpha), dtype=alpha.dtype
            )
            if moment.allowed:
                parts = parts * moment.allowed[name]
            total = tf.reduce_sum(parts, axis=-1, keepdims=True)
            drawn[name] = tf.math.divide_no_nan(parts, total)
        return drawn

    def differentiated(self, alphas: Alphas, moment: Moment) -> Mixing:
        return NotImplemented  # implicit gradients are right in expectation alone

    def reading(self, alphas: Alphas, moment: Moment) -> Mixing:
        return softmax(alphas, moment.allowed)


@register("kullback_leibler")
class KullbackLeibler(AlphaTerm):
    """The divergence of each edge's Dirichlet distribution from the flat one, summed.

    KL(Dir(c)‖Dir(1)) = lnΓ(Σc) - Σ lnΓ(c) - lnΓ(O) + Σ(c-1)(ψ(c) - ψ(Σc)); 0 at c = 1.
    """

    divergence_weight: float = setting(
        1e-3,
        "The divergence from the flat distribution counts with this weight.",
        minimum=0.0,
        maximum=1e6,
    )

    def value(self, alphas: Alphas, mixing: Mixing, moment: Moment) -> tf.Tensor:
        terms = []
        for name in mixing:
            c = concentration(alphas[name])
            total = tf.reduce_sum(c, axis=-1, keepdims=True)
            operations = tf.cast(c.shape[-1], c.dtype)
            pull = (c - 1.0) * (tf.math.digamma(c) - tf.math.digamma(total))
            terms.append(
                tf.reduce_sum(tf.math.lgamma(total) - tf.math.lgamma(operations))
                + tf.reduce_sum(pull - tf.math.lgamma(c))
            )
        return self.divergence_weight * tf.add_n(terms)


register_method(
    "dr_nas",
    "Dirichlet samples and their divergence, first order; in the convolutional space in two stages"
    " with partial channels (Chen et al. 2021)",
    relaxation="dirichlet",
    alpha_terms=("kullback_leibler",),
    hypergradient="first_order",
    by_space={
        # Two stages: a sixth of the channels and 7 operations, then a quarter and 4. Each begins
        # anew here; the authors hand w and alpha on, widened, and their cosine goes over both.
        "convolutional": {
            "rules": ("warm_up", "progressive_shrinking"),
            "edge_options": ("partial_channels",),
            "settings": {
                "operations": "max_pool_3x3,avg_pool_3x3,skip_connect,sep_conv_3x3,sep_conv_5x5,"
                "dil_conv_3x3,dil_conv_5x5",
                "channels": 36,
                "layers": 20,
                "epochs": 25,
                "weight_learning_rate": 0.1,
                "final_weight_learning_rate": 0.0,
                "alpha_learning_rate": 6e-4,
                "warm_up_epochs": 10,
                "stage_operations": "4",
                "stage_settings": "partial_channels:6/4",
            },
        },
        # Whole channels and one stage, as the authors have it there; their other form is
        # --rules=progressive_shrinking --edge_options=partial_channels --epochs=50
        # --stage_operations=3 --stage_settings=partial_channels:4/2.
        "nasbench201": {"settings": {"epochs": 100}},
    },
    colour="#bc6c25",
)
