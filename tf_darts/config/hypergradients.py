"""The ways to estimate the hypergradient: what everybody but the search itself must know of each.

Nothing here imports TensorFlow, which the estimates themselves need: flags are refused, and runs
reported, without it.
"""

import dataclasses
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """One way to estimate the hypergradient; a member of `HYPERGRADIENTS`.

    Attributes:
      function: takes the training loss, the validation loss, w, α and `unroll`, and `settings` by
        keyword, as those of `bilevel/hypergradient.py`; or where it is, "PACKAGE.MODULE:NAME".
      about: what it is, for `--help`.
      settings: the function's keywords, each with the setting of a search that it takes.
      order: of the highest derivative; 2 needs losses that can be differentiated twice.
      by_alphas: whether it takes gradients by α alone.
      vectors: how many of the size of w are alive at once: w, ∇, w', v, w ± εv, their parts, and
        the velocity; for the estimate of memory.
      graphs: how many kinds of gradient a step compiles in a space where ∇_α is apart from ∇_w; 2
        elsewhere.
      cost: of a whole step, the weight step's included, in forward passes of the supernet: 3 for a
        gradient by w, 2 for one by α alone.
      colour: in plots; None: one that is left.
    """

    function: Callable[..., Any] | str
    about: str
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    order: int = 1
    by_alphas: bool = False
    vectors: int
    graphs: int = 2
    cost: int
    colour: str | None = None

    @property
    def estimate(self) -> Callable[..., Any]:
        """The function itself."""
        if isinstance(self.function, str):
            return pkgutil.resolve_name(self.function)
        return self.function


# By name, as in `--hypergradient=NAME`. Settings, studies, reports and the estimate of memory read
# it where they need it, so a new member is one entry.
HYPERGRADIENTS: dict[str, Estimate] = {
    "first_order": Estimate(
        function="tf_darts.bilevel.hypergradient:first_order",
        about="xi = 0",
        by_alphas=True,
        vectors=6,
        cost=2 + 3,
        colour="#d1602a",
    ),
    "finite_difference": Estimate(
        function="tf_darts.bilevel.hypergradient:finite_difference",
        about="the paper's second order",
        settings={"radius": "finite_difference_radius"},
        by_alphas=True,
        vectors=9,
        graphs=4,  # by w and by α, and of the unrolled step both again
        cost=3 * 3 + 2 * 2,
        colour="#1f6fb4",
    ),
    "exact": Estimate(
        function="tf_darts.bilevel.hypergradient:exact",
        about="second order by differentiating twice",
        order=2,
        vectors=9,
        cost=3 * 3 + 6,
        colour="#7a4fa3",
    ),
}
