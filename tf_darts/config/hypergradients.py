"""The ways to estimate the hypergradient: what everybody but the search itself must know of each.

Nothing here imports TensorFlow, which the estimates themselves need: flags are refused, and runs
reported, without it.
"""

import collections
import dataclasses
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from tf_darts.config.registration import check_free
from tf_darts.errors import UserError, did_you_mean
from tf_darts.runtime.files import shown


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


_OURS: dict[str, Estimate] = {
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
# By name, as in `--hypergradient=NAME`, ours first. Settings, studies, reports and the estimate of
# memory read it where they need it, so a new member is one entry.
HYPERGRADIENTS: collections.ChainMap[str, Estimate] = collections.ChainMap({}, _OURS)


def register_hypergradient(
    name: str,
    function: Callable[..., Any],
    about: str,
    *,
    settings: Mapping[str, str] | None = None,
    order: int = 1,
    by_alphas: bool = False,
    vectors: int = 9,
    graphs: int = 4,
    cost: int = 15,
    colour: str | None = None,
) -> Estimate:
    """Makes a function an estimate of the hypergradient: `--hypergradient=NAME`.

    Args:
      name: letters, digits and _.
      function: `function(train_loss, validation_loss, weights, alphas, unroll)`, which gives what
        `tf_darts.methods.estimated` makes; docs/own_method.md says what it is given.
      about: what it is, for `--help`.
      settings: as of `Estimate`.
      order: as there.
      by_alphas: as there.
      vectors: as there; it only foretells the memory.
      graphs: as there, likewise.
      cost: as there, likewise for the time.
      colour: as there.

    Raises:
      UserError: the name cannot be, or is taken; or the function is none.
    """
    check_free("--hypergradient", name, HYPERGRADIENTS)
    if not callable(function):
        raise UserError(f"--hypergradient={name}: what is registered is no function; give one.")
    HYPERGRADIENTS[name] = Estimate(
        function=function,
        about=about,
        settings=settings or {},
        order=order,
        by_alphas=by_alphas,
        vectors=vectors,
        graphs=graphs,
        cost=cost,
        colour=colour,
    )
    return HYPERGRADIENTS[name]


def check_known(name: str, subject: str) -> None:
    """Raises `UserError` where a method names an estimate that there is not.

    Args:
      name: of the estimate.
      subject: whose it is, the beginning of the sentence.
    """
    if name not in HYPERGRADIENTS:
        hint = did_you_mean(name, HYPERGRADIENTS)
        raise UserError(
            f"{subject}: its hypergradient {shown(name)} is not known{hint}; use one of"
            f" {', '.join(HYPERGRADIENTS)}, or register_hypergradient before."
        )
