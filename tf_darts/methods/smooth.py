"""SmoothDARTS (Chen & Hsieh, ICML 2020): w learns under perturbed mixing weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etils import epy

from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.config.methods import PAPERS, find_method, register, register_method
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
        "The noise of the mixing weights is uniform within this distance of 0 in the first epoch.",
        minimum=0.0,
        below=1.0,
    )
    last_noise: float = setting(
        0.3,
        "The noise of the mixing weights is uniform within this distance of 0 in the last epoch.",
        minimum=0.0,
        below=1.0,
    )

    def check(self, config: Any) -> None:
        if find_method(config.method).step != PAPERS.step:
            raise UserError(
                f"--relaxation={self.name}: --method={config.method} moves alpha and w in one step,"
                " and has none of w's alone that could see the noise; use --method=darts_first or"
                " another bilevel one."
            )
        if self.first_noise > self.last_noise:
            raise UserError(
                f"--first_noise={self.first_noise:g} is above --last_noise={self.last_noise:g}; the"
                " noise rises, so give a lower first one."
            )

    def weight_mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        mixing, size = self.mixing(alphas, moment), self._size(moment)
        noise = _noise(mixing, moment)
        return {name: _simplex(table + size * noise[name]) for name, table in mixing.items()}

    def _size(self, moment: Moment) -> tf.Tensor:
        """ε."""
        return self.first_noise + (self.last_noise - self.first_noise) * moment.progress


@register("adversarial_smoothing")
class AdversarialSmoothing(RandomSmoothing):
    """The softmax; the step of the weights sees it with the noise that hurts it most.

    Of the mixing weights within ε of m entry by entry, ε as of `random_smoothing`, those that
    raise the loss of w's step on its batch, by projected gradient ascent: from m + U[-ε, ε] so many
    steps of 2ε/steps along the signs of the gradient, each cut to within ε of m. Where they end is
    cut to [0, 1] and made to sum to 1 (which may leave the ball), and m stays where that did not
    raise the loss. What edge options have besides (factors, what passes by) stays as it is. All is
    in training mode, under the masks of the step that follows. (The official code attacks in
    evaluation mode.) A step of w takes a gradient by the mixing weights for each step of the ascent
    and two losses more; memory is that of one gradient.
    """

    adversarial_steps: int = setting(
        7,
        "The ascent to the mixing weights that hurt the step of w most takes this many steps.",
        unit="steps",
        minimum=1,
        maximum=10**4,
    )

    def weight_mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        return self.mixing(alphas, moment)

    def attack(
        self,
        mixing: Mixing,
        moment: Moment,
        loss: Callable[[Mixing], tf.Tensor],
        gradient: Callable[[Mixing], Mixing],
    ) -> Mixing:
        size = self._size(moment)
        offsets = {name: size * noise for name, noise in _noise(mixing, moment).items()}
        for _ in range(self.adversarial_steps):
            slopes = gradient({name: mixing[name] + offsets[name] for name in mixing})
            stride = 2.0 * size / self.adversarial_steps
            moved = {n: offsets[n] + stride * tf.sign(slopes[n]) for n in mixing}
            offsets = {n: tf.clip_by_value(moved[n], -size, size) for n in mixing}
            if moment.allowed:
                offsets = {n: offsets[n] * moment.allowed[n] for n in mixing}
        attacked = {name: _simplex(mixing[name] + offsets[name]) for name in mixing}
        hurts = loss(attacked) > loss(mixing)
        return {name: tf.where(hurts, attacked[name], mixing[name]) for name in mixing}


def _noise(mixing: Mixing, moment: Moment) -> Mixing:
    """U[-1, 1] for each entry that is allowed, and 0 for the others."""
    drawn = {}
    for number, (name, table) in enumerate(mixing.items()):
        seed = tf.random.experimental.stateless_fold_in(moment.seed, number)
        noise = tf.random.stateless_uniform(table.shape, seed, -1.0, 1.0, table.dtype)
        drawn[name] = noise * moment.allowed[name] if moment.allowed else noise
    return drawn


def _simplex(table: tf.Tensor) -> tf.Tensor:
    """Rows cut to [0, 1] that sum to 1; what is 0, as it is not allowed, and rows of it stay so."""
    cut = tf.clip_by_value(table, 0.0, 1.0)
    total = tf.reduce_sum(cut, axis=-1, keepdims=True)
    out = tf.equal(table, 0.0)
    allowed = tf.where(out, table.dtype.min, table)
    largest = tf.one_hot(tf.argmax(allowed, axis=-1), table.shape[-1], dtype=table.dtype)
    nothing_allowed = tf.reduce_all(out, axis=-1, keepdims=True)
    alone = tf.where(nothing_allowed, tf.zeros_like(largest), largest)
    return tf.where(total > 0, tf.math.divide_no_nan(cut, total), alone)


register_method(
    "smooth_darts_rs",
    "first-order DARTS whose weights learn under noise (Chen & Hsieh 2020)",
    relaxation="random_smoothing",
    hypergradient="first_order",
    colour="#6a994e",
)
register_method(
    "smooth_darts_adv",
    "first-order DARTS whose weights learn under the worst noise (Chen & Hsieh 2020)",
    relaxation="adversarial_smoothing",
    hypergradient="first_order",
    colour="#386fa4",
)
