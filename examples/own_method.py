"""A search method of one's own: every operation keeps a share of each edge, which falls to nothing.

python -m tf_darts.main --load=examples/own_method.py --mode=search --dataset=digits \
    --method=exploring_darts --first_share=0.3 --run_dir=runs/own_method
"""

from __future__ import annotations

import tensorflow as tf

from tf_darts.methods import Moment, Relaxation, register, register_method, setting, softmax


@register("exploring")
class Exploring(Relaxation):
    """The softmax of alpha, mixed with equal weights for all operations."""

    first_share: float = setting(
        0.5, "The equal weights have this share in the first epoch.", minimum=0.0, below=1.0
    )

    def mixing(self, alphas: dict, moment: Moment) -> dict:
        share = self.first_share * (1.0 - moment.ramp)
        flat = {name: tf.zeros_like(alpha) for name, alpha in alphas.items()}
        equal = softmax(flat, moment.allowed)
        chosen = self.reading(alphas, moment)
        return {name: share * equal[name] + (1.0 - share) * chosen[name] for name in chosen}

    def reading(self, alphas: dict, moment: Moment) -> dict:
        return softmax(alphas, moment.allowed)


register_method(
    "exploring_darts",
    "first-order DARTS that tries all operations for a while",
    relaxation="exploring",
    hypergradient="first_order",
)
