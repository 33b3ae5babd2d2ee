"""DARTS- (Chu et al., ICLR 2021): an auxiliary skip connection that fades, beside every edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from etils import epy

from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.relaxation import Moment
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.methods.skip_count import check_skips

with epy.lazy_imports():
    import tensorflow as tf

    from tf_darts.spaces.convolutional.relaxed import auxiliary_skip

if TYPE_CHECKING:
    from tf_darts.spaces.edge_wrappers import EdgeMaker, EdgePlace


@register("auxiliary_skip")
class AuxiliarySkip(EdgeOption):
    """Beside an edge's mixture β·x, with β = 1 - e/T: the search learns well without its own skips.

    Or β fades by a cosine, (1 + cos(π e/T))/2, or by a slow one, cos(π/2·e/T). At stride 2 it is β
    times a factorized reduction with weights of its own. The skip connection stays a candidate,
    whose weight then says how good it is as an operation; 1 - e/T is 1/T in the last epoch, and the
    derived cell has none. (The official code forgets β in the copy of the supernet that it unrolls,
    so second order fails there.)
    """

    numbers: ClassVar[int] = 1

    auxiliary_fading: str = setting(
        "linear",
        "The auxiliary skip connection fades in equal steps, by a half cosine, or by a quarter of"
        " one, which is slow at first.",
        choices=("linear", "cosine", "slow_cosine"),
        legacy="linear",
    )

    def check(self, config: Any) -> None:
        check_skips(self.name, config)

    def passes_by(self) -> bool:
        return True

    def passes_by_in_the_end(self) -> bool:
        return False  # β is 0

    def wrapped(self, make: EdgeMaker, place: EdgePlace) -> EdgeMaker:
        return lambda channels: auxiliary_skip.AuxiliarySkip(make(channels), channels, place)

    def numbers_at(self, moment: Moment, epochs: int) -> Sequence[tf.Tensor]:
        del epochs
        share = moment.progress
        if self.auxiliary_fading == "cosine":
            return (0.5 * (1.0 + tf.cos(math.pi * share)),)
        if self.auxiliary_fading == "slow_cosine":
            return (tf.cos(0.5 * math.pi * share),)
        return (1.0 - share,)


register_method(
    "darts_minus",
    "first order beside an auxiliary skip connection that fades (Chu et al. 2021)",
    hypergradient="first_order",
    edge_options=("auxiliary_skip",),
    colour="#577590",
)
