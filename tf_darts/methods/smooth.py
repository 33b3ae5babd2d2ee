"""SmoothDARTS (Chen & Hsieh, ICML 2020): w learns under perturbed mixing weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etils import epy

from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing


@register("random_smoothing")
class RandomSmoothing(Relaxation):
    """The softmax; the step of the weights sees it with uniform noise.

    m' = m + U[-ε, ε] entry by entry, cut to [0, 1] and made to sum to 1 again; ε rises linearly,
    ε(e) = first + (last - first)·e/T. A row of which nothing is left is one-hot at the largest
    entry before it was cut. α's step is that of the plain softmax, of every estimate.
    """

    first_noise: float = setting(
        0.03,
        "half the range of the mixing weights' noise, in the first epoch",
        minimum=0.0,
        below=1.0,
    )
    last_noise: float = setting(
        0.3, "half the range of that noise in the end", minimum=0.0, below=1.0
    )

    def check(self, config: Any) -> None:
        if self.first_noise > self.last_noise:
            raise UserError(
                f"--first_noise={self.first_noise:g} is above --last_noise={self.last_noise:g}; the"
                " noise rises, so give a lower first one."
            )

    def weight_mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        size = self.first_noise + (self.last_noise - self.first_noise) * moment.progress
        perturbed = {}
        for number, (name, table) in enumerate(self.mixing(alphas, moment).items()):
            seed = tf.random.experimental.stateless_fold_in(moment.seed, number)
            noise = tf.random.stateless_uniform(table.shape, seed, -1.0, 1.0, table.dtype)
            noisy = table + size * noise
            if moment.allowed:
                noisy = noisy * moment.allowed[name]
            perturbed[name] = _simplex(noisy)
        return perturbed


def _simplex(table: tf.Tensor) -> tf.Tensor:
    """Rows cut to [0, 1] that sum to 1; rows of zeros stay so."""
    cut = tf.clip_by_value(table, 0.0, 1.0)
    total = tf.reduce_sum(cut, axis=-1, keepdims=True)
    largest = tf.one_hot(tf.argmax(table, axis=-1), table.shape[-1], dtype=table.dtype)
    nothing_allowed = tf.reduce_all(tf.equal(table, 0.0), axis=-1, keepdims=True)
    alone = tf.where(nothing_allowed, tf.zeros_like(largest), largest)
    return tf.where(total > 0, tf.math.divide_no_nan(cut, total), alone)


register_method(
    "smooth_darts_rs",
    "first-order DARTS whose weights learn under noise (Chen & Hsieh 2020)",
    relaxation="random_smoothing",
    hypergradient="first_order",
    colour="#6a994e",
)
