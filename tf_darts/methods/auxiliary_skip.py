"""DARTS- (Chu et al., ICLR 2021): an auxiliary skip connection that fades, beside every edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from etils import epy

from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.relaxation import Moment
from tf_darts.config.methods import register, register_method
from tf_darts.methods.skip_count import check_skips

with epy.lazy_imports():
    import tensorflow as tf

    from tf_darts.spaces.convolutional.relaxed import auxiliary_skip

if TYPE_CHECKING:
    from tf_darts.spaces.edge_wrappers import EdgeMaker, EdgePlace


@register("auxiliary_skip")
class AuxiliarySkip(EdgeOption):
    """Beside an edge's mixture β·x, with β = 1 - e/T: the search learns well without its own skips.

    At stride 2 it is β times a factorized reduction with weights of its own. The skip connection
    stays a candidate, whose weight then says how good it is as an operation; β fades to 1/T in the
    last epoch, and the derived cell has none.
    """

    numbers: ClassVar[int] = 1

    def check(self, config: Any) -> None:
        check_skips(self.name, config)

    def wrapped(self, make: EdgeMaker, place: EdgePlace) -> EdgeMaker:
        return lambda channels: auxiliary_skip.AuxiliarySkip(make(channels), channels, place)

    def numbers_at(self, moment: Moment, epochs: int) -> Sequence[tf.Tensor]:
        del epochs
        return (1.0 - moment.progress,)


register_method(
    "darts_minus",
    "first order beside an auxiliary skip connection that fades (Chu et al. 2021)",
    hypergradient="first_order",
    edge_options=("auxiliary_skip",),
    colour="#577590",
)
