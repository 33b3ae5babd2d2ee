"""Dropout on the edges of a search: R-DARTS' drop-path, and P-DARTS' dropout after skips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from etils import epy

from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.relaxation import Moment
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.methods.skip_count import check_skips

with epy.lazy_imports():
    import tensorflow as tf

    from tf_darts.spaces.convolutional.relaxed import dropped_edge

if TYPE_CHECKING:
    from tf_darts.spaces.edge_wrappers import EdgeMaker, EdgePlace


@register("drop_path")
class DropPath(EdgeOption):
    """R-DARTS' drop-path: in training each image loses whole edges, skip connections too.

    The rate is p·e/(T-1); what is kept is multiplied by 1/(1 - rate) (Zela et al., ICLR 2020, who
    vary p or the weight decay, one at a time, and take the best by validation). At the same rate
    images of both halves lose a square, CutOut, where `search_cutout` says how large it is.
    """

    numbers: ClassVar[int] = 3

    search_drop_path: float = setting(
        0.2,
        "Each image loses an edge with this probability in the last epoch of the search; the"
        " probability rises from 0.",
        minimum=0.0,
        below=1.0,
    )
    search_cutout: int = setting(
        0,
        "An image loses a square of this side with the same probability as an edge; with 0 it"
        " loses none.",
        unit="pixels",
        minimum=0,
        maximum=2**14,
        legacy=0,
    )

    def check(self, config: Any) -> None:
        if self.search_cutout and not self.search_drop_path:
            raise UserError(
                f"--search_cutout={self.search_cutout}: with --search_drop_path=0 no image loses a"
                " square; give a higher --search_drop_path, or leave --search_cutout out."
            )

    def cutout(self) -> tuple[int, float]:
        return self.search_cutout, self.search_drop_path

    def wrapped(self, make: EdgeMaker, place: EdgePlace) -> EdgeMaker:
        return lambda channels: dropped_edge.DropPathEdge(make(channels), place)

    def numbers_at(self, moment: Moment, epochs: int) -> Sequence[tf.Tensor]:
        del epochs
        rate = self.search_drop_path * moment.ramp
        return [rate, *dropped_edge.draw_numbers(moment.seed_of_examples(len(self.name)))]


@register("skip_dropout")
class SkipDropout(EdgeOption):
    """P-DARTS' dropout, number by number, after the skip connections that are identities.

    The rate is rate·(T - e - 1)/T in the first W epochs, in which α stands still there, and then
    rate·exp(-0.2·(e - W)): skips are held back until the others have learnt (Chen et al., ICCV
    2019). The rates of its three stages are 0.1, 0.4 and 0.7. (In the official code there is no
    dropout in any epoch where the first rate is 0.)
    """

    numbers: ClassVar[int] = 3

    skip_dropout: float = setting(
        0.1,
        "The numbers that a skip connection hands on are dropped at this rate in the beginning.",
        minimum=0.0,
        below=1.0,
    )
    skip_dropout_warm_up: int = setting(
        10,
        "The skip dropout fades fast after this many epochs.",
        unit="epochs",
        minimum=0,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        check_skips(self.name, config)
        first = config.edge_options.split(",")[0].strip()
        if first != self.name:
            raise UserError(
                f"--edge_options={config.edge_options}: {self.name} drops inside the mixture, so it"
                " is the innermost; name it first."
            )
        if config.make_parts("relaxation")[0].one_hot:
            raise UserError(
                f"--edge_options={self.name}: takes the skip connection out of an edge's mixture,"
                f" and --relaxation={config.relaxation} computes one sampled operation alone; leave"
                " one of the two out."
            )

    def wrapped(self, make: EdgeMaker, place: EdgePlace) -> EdgeMaker:
        return lambda channels: dropped_edge.SkipDropoutEdge(make(channels), place)

    def numbers_at(self, moment: Moment, epochs: int) -> Sequence[tf.Tensor]:
        epoch = moment.progress * epochs
        rising = self.skip_dropout * (1.0 - moment.progress - 1.0 / epochs)
        after = self.skip_dropout * tf.exp(-0.2 * (epoch - self.skip_dropout_warm_up))
        # Epochs are whole numbers; half of one is for rounding.
        warm = epoch < self.skip_dropout_warm_up - 0.5
        # In epochs that a derivation adds, the share that is over is 1.
        rate = tf.maximum(tf.where(warm, rising, after), 0.0)
        return [rate, *dropped_edge.draw_numbers(moment.seed_of_examples(len(self.name)))]


# Of the rates 0, 0.2, 0.4 and 0.6 of the paper, of which it retrains all and takes the best.
register_method(
    "robust_darts_dp",
    "the paper's method with drop-path and CutOut that rise (Zela et al. 2020)",
    edge_options=("drop_path",),
    settings={"search_drop_path": 0.2, "search_cutout": 16},
    colour="#b0b0f0",
)
