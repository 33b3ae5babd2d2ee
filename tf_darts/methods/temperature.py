"""A softmax that is cooled: the mixture nears a choice while the search goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from etils import epy

from tf_darts.bilevel.relaxation import Moment, Relaxation, softmax
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing


@register("temperature")
class Temperature(Relaxation):
    """The softmax of α/τ, whose temperature τ falls geometrically over the epochs.

    τ(e) = first·(last/first)^(e/(T-1)). The cell is that of the softmax of α, whatever τ is: an
    edge's strongest operation does not depend on τ, but which edges are the strongest does. What
    shrinks is the gap between the mixture and the discrete cell. Liu et al. (2019) name it as
    future work.
    """

    cools: ClassVar[bool] = True

    # Below the smallest, float32 knows no α between a tie and a choice, and no gradient.
    first_temperature: float = setting(
        1.0,
        "The softmax of alpha has this temperature in the first epoch.",
        minimum=0.05,
        maximum=1e3,
    )
    last_temperature: float = setting(
        0.1,
        "The softmax of alpha has this temperature in the last epoch.",
        minimum=0.05,
        maximum=1e3,
    )

    def check(self, config: Any) -> None:
        if self.last_temperature > self.first_temperature:
            raise UserError(
                f"--last_temperature={self.last_temperature:g} is above"
                f" --first_temperature={self.first_temperature:g}; a temperature falls, so give"
                f" --last_temperature=N of at most {self.first_temperature:g}."
            )

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        ratio = self.last_temperature / self.first_temperature
        temperature = self.first_temperature * tf.pow(
            tf.cast(ratio, moment.ramp.dtype), moment.ramp
        )
        return softmax(
            {name: alpha / temperature for name, alpha in alphas.items()}, moment.allowed
        )

    def ranking(self, alphas: Alphas, moment: Moment) -> Mixing:
        return softmax(alphas, moment.allowed)


register_method(
    "annealed_darts",
    "DARTS with a softmax whose temperature falls",
    relaxation="temperature",
    colour="#b5533c",
)
