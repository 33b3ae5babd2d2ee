"""RobustDARTS (Zela et al., ICLR 2020): the validation loss's curvature, and its early stop."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from etils import epy

from tf_darts.bilevel.epoch_rules import (
    Directions,
    EpochRule,
    Record,
    Return,
    SearchFacts,
    SearchProbe,
    Stop,
    frozen_epochs,
)
from tf_darts.config.methods import register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError

with epy.lazy_imports():
    from tf_darts.bilevel import curvature

_NAME = "eigenvalue/largest"
_DECAY = "weight_decay/raised"  # a monitor of the epoch from whose end it holds
_ROUNDING = 1 + 1e-9


@register("eigenvalue")
class Eigenvalue(EpochRule):
    """A monitor: the largest eigenvalue of the validation loss's Hessian by alpha.

    λ is the largest algebraic eigenvalue of ∂²L_val/∂α² at fixed w, in training mode, without α's
    weight decay: the mean over a few validation batches, always the same ones. It is taken at
    epochs 0, N, 2N, … and at the last one. Each batch costs about 25 products, a product about
    three gradients. (The official code takes one batch, the last of the epoch, and its λ has the
    weight decay 1e-3 in it.)
    """

    eigenvalue_epochs: int = setting(
        2,
        "The eigenvalue is taken once in this many epochs.",
        unit="epochs",
        minimum=1,
        maximum=10**6,
    )
    eigenvalue_batches: int = setting(
        4,
        "The eigenvalue is averaged over this many validation batches, or over all of an epoch.",
        unit="batches",
        minimum=1,
        maximum=10**4,
    )

    def check(self, config: Any) -> None:
        if not config.make_parts("relaxation")[0].twice_differentiable:
            raise UserError(
                f"--rules={self.name}: the mixing weights of --relaxation={config.relaxation} have"
                " no second derivative, and so no Hessian; leave the rule or the relaxation out."
            )

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        if (probe.epoch - 1) % self.eigenvalue_epochs and probe.epoch != probe.epochs:
            return {}
        products = probe.hessian_products(self.eigenvalue_batches)
        values = [curvature.largest_eigenvalue(product, probe.parameters) for product in products]
        return {_NAME: float(np.mean(values))}


@register("eigenvalue_stop")
class EigenvalueStop(Eigenvalue):
    """Stops a search whose largest eigenvalue grows, with the cell of an epoch before.

    The mean of the last `eigenvalue_window` values (from the third on, of as many as there are) is
    compared with that of `eigenvalue_delta` values earlier: where it is more than
    `eigenvalue_ratio` times as large, the cell is that of the epoch at the middle of the earlier
    window, unless that is before `eigenvalue_start`. It is a threshold of growth: 8 % from one
    value to the next stops a search, 3 % do not, and a single outlier does. (The official code has
    one value more: it compares at every value but the last epoch's.)
    """

    stops: ClassVar[bool] = True

    eigenvalue_window: int = setting(
        5, "Each mean is over this many eigenvalues.", unit="eigenvalues", minimum=1, maximum=10**4
    )
    eigenvalue_delta: int = setting(
        4,
        "A mean is compared with the one of this many eigenvalues before.",
        unit="eigenvalues",
        minimum=1,
        maximum=10**4,
    )
    eigenvalue_ratio: float = setting(
        1.3,
        "The search stops where the ratio of the two means is above this value.",
        above=0.0,
        maximum=1e6,
    )
    eigenvalue_start: int = setting(
        10,
        "A stop may take the cell of this epoch, counted from 0, or of a later one.",
        unit="epochs",
        minimum=0,
        maximum=10**6,
    )

    def check(self, config: Any) -> None:
        super().check(config)
        if config.make_parts("relaxation")[0].cools:
            raise UserError(
                f"--rules={self.name}: the mixture of --relaxation={config.relaxation} nears a"
                " choice with the epochs, so the curvature by alpha grows though alpha stands"
                " still; leave one of the two out (--rules=eigenvalue only looks)."
            )
        still = frozen_epochs(config)
        if self.eigenvalue_start < still:
            raise UserError(
                f"--rules=warm_up,{self.name}: alpha stands still for --warm_up_epochs={still}, and"
                f" a cell of then is random; give --eigenvalue_start={still} or more."
            )
        needed = self.eigenvalue_start + self._lag
        if needed >= config.epochs - 1:
            raise UserError(
                f"--rules={self.name} looks from epoch {needed + 1} on, and"
                f" --epochs={config.epochs}; give more epochs, or a lower --eigenvalue_start,"
                " --eigenvalue_delta or --eigenvalue_epochs."
            )

    @property
    def _lag(self) -> int:
        """Epochs from the middle of the earlier window to now."""
        return (self.eigenvalue_window // 2 + self.eigenvalue_delta) * self.eigenvalue_epochs

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        grown = self._grown(history, facts)
        return Directions() if grown is None else Directions(stop=grown)

    def _grown(self, history: Sequence[Record], facts: SearchFacts) -> Stop | None:
        """The epoch whose cell is to count where the eigenvalue has grown, and by how much."""
        values = [
            record["monitors"][_NAME]
            for record in history[:: self.eigenvalue_epochs]
            if _NAME in record.get("monitors", {})
        ]
        epoch = len(history) - 1  # the one that ended, from 0
        is_new = epoch % self.eigenvalue_epochs == 0
        chosen = epoch - self._lag
        if not is_new or epoch + 1 >= facts.epochs or chosen < self.eigenvalue_start:
            return None
        # From the third value on there is a mean, of as many values as there are.
        ends = [len(values), len(values) - self.eigenvalue_delta]
        if ends[1] < 3:
            return None
        now, before = (np.mean(values[max(0, end - self.eigenvalue_window) : end]) for end in ends)
        if not before > 0 or now <= self.eigenvalue_ratio * before:
            return None
        reason = f"the largest eigenvalue of the Hessian by alpha grew {now / before:.2f} times"
        return Stop(chosen + 1, reason)


@register("eigenvalue_adaptation")
class EigenvalueAdaptation(EigenvalueStop):
    """Goes back where the largest eigenvalue grows, and on with a larger weight decay of w.

    Where `eigenvalue_stop` would stop with the cell of an epoch, the search goes back to that
    epoch's end (w, alpha, both optimisers), and the weight decay of w is `adaptation_factor` times
    as large from there, in the unrolled step too. It does so until the weight decay would be above
    `adaptation_most`; then it goes on to its last epoch. A rule that stops at the same epoch comes
    first. The learning rate is that of the epoch.
    (The official code makes what unrolls the step before it raises the weight decay, so that goes
    on with the old one.)
    """

    stops: ClassVar[bool] = False
    goes_back: ClassVar[bool] = True

    adaptation_factor: float = setting(
        10.0,
        "The weight decay of w is raised to this many times its value at each return.",
        above=1.0,
        maximum=1e6,
    )
    adaptation_most: float = setting(
        0.03, "The weight decay of w is not raised above this value.", above=0.0, maximum=1e3
    )

    def check(self, config: Any) -> None:
        super().check(config)
        if any(type(rule) is EigenvalueStop for rule in config.make_parts("rules")):
            raise UserError(
                f"--rules={config.rules}: eigenvalue_stop stops the search where {self.name} would"
                " go back, so it never would; leave one of the two out."
            )
        first = config.weight_decay * self.adaptation_factor
        if not 0 < first <= self.adaptation_most * _ROUNDING:
            raise UserError(
                f"--rules={self.name}: {self.adaptation_factor:g} times"
                f" --weight_decay={config.weight_decay:g} is"
                f" {'nothing' if not first else 'above --adaptation_most'}, so the weight decay"
                " would never be raised; give another --weight_decay, or leave the rule out."
            )

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        raised = [r["monitors"][_DECAY] for r in history if _DECAY in r.get("monitors", {})]
        decay = raised[-1] if raised else facts.weight_decay
        grown = self._grown(history, facts)
        more = float(f"{decay * self.adaptation_factor:.12g}")  # as people would write it
        if grown is None or more > self.adaptation_most * _ROUNDING:
            return Directions(weight_decay=decay)
        reason = f"{grown.reason.capitalize()}, so the weight decay of w is now {more:g}"
        return Directions(weight_decay=decay, back=Return(grown.epoch, {_DECAY: more}, reason))

    def kept(self, epoch: int) -> Collection[int]:
        # Those that have an eigenvalue. After a return the next one may go back further, so none
        # is too old.
        evaluated = range(self.eigenvalue_start, epoch)
        return [e + 1 for e in evaluated if e % self.eigenvalue_epochs == 0]


register_method(
    "robust_darts_es",
    "the paper's method with RobustDARTS' early stop (Zela et al. 2020)",
    rules=("eigenvalue_stop",),
    colour="#5b5bd6",
)
# Of the factors 1, 3, 9, 27, 81 of the paper, of which it retrains all and takes the best.
register_method(
    "robust_darts_l2",
    "the paper's method with 27 times the weight decay of w (Zela et al. 2020)",
    factors={"weight_decay": 27.0},
    colour="#8f8fe6",
)
register_method(
    "robust_darts_ada",
    "the paper's method, with more weight decay where the curvature grows (Zela et al. 2020)",
    rules=("eigenvalue_adaptation",),
    colour="#3d3da8",
)
