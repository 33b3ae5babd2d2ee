"""Sampled mixing weights: the Gumbel softmax, soft (SNAS, 2019) and hard (GDAS, 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from etils import epy

from tf_darts.bilevel.relaxation import Moment, Relaxation, softmax
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.runtime.custom_gradient import custom_gradient

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing


@register("gumbel")
class Gumbel(Relaxation):
    """A sample of each edge, by the softmax of log-probabilities with Gumbel noise over tau.

    s = softmax((log p + g)/τ), p = softmax(α), g = -log(-log U). One sample serves all cells of a
    kind in a step; α's step and w's have each their own. τ falls linearly with the epochs,
    τ(e) = first + (last - first)·e/(T-1). What is read, evaluated and derived is p.
    """

    cools: ClassVar[bool] = True

    # At a lower one, float32 knows no sample between two choices, and no gradient.
    first_tau: float = setting(
        10.0,
        "The Gumbel samples have this temperature in the first epoch.",
        minimum=0.01,
        maximum=1e4,
    )
    last_tau: float = setting(
        0.1,
        "The Gumbel samples have this temperature in the last epoch.",
        minimum=0.01,
        maximum=1e4,
    )

    def check(self, config: Any) -> None:
        if self.last_tau > self.first_tau:
            raise UserError(
                f"--last_tau={self.last_tau:g} is above --first_tau={self.first_tau:g}; a"
                f" temperature falls, so give --last_tau=N of at most {self.first_tau:g}."
            )

    def sample(self, alphas: Alphas, moment: Moment) -> Mixing:
        """The soft sample s of each edge, at the moment's seed."""
        tau = self.first_tau + (self.last_tau - self.first_tau) * moment.ramp
        noisy = {}
        for number, (name, alpha) in enumerate(alphas.items()):
            seed = tf.random.experimental.stateless_fold_in(moment.seed, number)
            # The smallest number, not 0, whose logarithm is none.
            least = alpha.dtype.as_numpy_dtype(1e-30)
            uniform = tf.random.stateless_uniform(alpha.shape, seed, least, 1.0, alpha.dtype)
            noise = -tf.math.log(-tf.math.log(uniform))
            noisy[name] = (tf.nn.log_softmax(alpha, axis=-1) + noise) / tau
        return softmax(noisy, moment.allowed)

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        return self.sample(alphas, moment)

    def reading(self, alphas: Alphas, moment: Moment) -> Mixing:
        return softmax(alphas, moment.allowed)


@register("gumbel_hard")
class GumbelHard(Gumbel):
    """A sampled operation for each edge alone, with the gradient of the soft sample.

    h = onehot(argmax s) - stop(s) + s: forward exactly one-hot, the gradient that of s at the same
    noise (straight-through). It is biased: the gradient of an expectation over samples is another.
    Only the sampled operation is computed, where the space can do without the others, see
    `spaces/sampled.py`. (Early official code draws the index by p and takes the gradient of p for
    it, which is not that of the sample.)
    """

    one_hot: ClassVar[bool] = True

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        return {name: _hard(soft) for name, soft in self.sample(alphas, moment).items()}

    def differentiated(self, alphas: Alphas, moment: Moment) -> Mixing:
        return self.sample(alphas, moment)


@register("gumbel_hard_all")
class GumbelHardAll(GumbelHard):
    """A sampled operation for each edge alone, with the gradient that all of them would have.

    The values are those of `gumbel_hard`, and all operations are computed, so that α's gradient for
    one that was not sampled is by what it gives, and not by ones. A step costs what first-order
    DARTS's does, three times as much.
    """

    one_hot: ClassVar[bool] = False


def _hard(soft: tf.Tensor) -> tf.Tensor:
    """One-hot rows with the gradient of `soft`; a row of zeros stays one."""

    @custom_gradient
    def straight_through(soft: tf.Tensor) -> Any:
        chosen = tf.one_hot(tf.argmax(soft, axis=-1), soft.shape[-1], dtype=soft.dtype)
        any_allowed = tf.reduce_any(soft > 0, axis=-1, keepdims=True)
        return tf.where(any_allowed, chosen, tf.zeros_like(chosen)), lambda upstream: upstream

    return straight_through(soft)


register_method(
    "snas",
    "soft Gumbel samples, alpha and w on the same data (Xie et al. 2019)",
    relaxation="gumbel",
    optimization="joint_alternating",
    hypergradient="first_order",
    settings={"first_tau": 1.0, "last_tau": 0.03},
    colour="#8c564b",
)
register_method(
    "gdas",
    "hard Gumbel samples, first order (Dong & Yang 2019)",
    relaxation="gumbel_hard",
    hypergradient="first_order",
    colour="#c2477f",
)
