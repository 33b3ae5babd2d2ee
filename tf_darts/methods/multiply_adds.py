"""The search is told what operations cost: a penalty on the expected multiply-adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etils import epy

from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.epoch_rules import Directions, Record, SearchFacts, SearchProbe
from tf_darts.bilevel.relaxation import Moment
from tf_darts.cells.space import find_space
from tf_darts.config.methods import register
from tf_darts.config.setting import setting
from tf_darts.errors import UserError

with epy.lazy_imports():
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.supernet import Alphas, Mixing

_EXPECTED, _WEIGHT = "multiply_adds/expected", "multiply_adds_weight"


def check_costs(config: Any, flag: str) -> None:
    """Raises `UserError` where the operations of a search's space have no costs.

    Args:
      config: the search's.
      flag: that asks for them.
    """
    space = find_space(config.space)
    if space.operation_costs is None:
        raise UserError(
            f"{flag}: the space {space.name} has no costs of operations: {space.why_no_costs};"
            f" leave {flag} out."
        )


@register("expected_multiply_adds")
class ExpectedMultiplyAdds(AlphaTerm):
    """What the network costs by its mixing weights, as far as it is above a target.

    λ·max(0, E/target - 1), E = base + Σ m·cost over all operations of all edges, in multiply-adds
    of the network that `--mode=train` makes of a cell by default: at one-hot weights what that
    network has. Below the target nothing pulls. λ is `multiply_adds_weight` at first; with an
    ascent it is raised by ascent·max(0, E/target - 1) at the end of each epoch (dual ascent, which
    never lets go). Where a discrete cell keeps fewer edges than there are, E counts more than the
    cell has: it is no bound, and `--derivation=budget` is.

    (ProxylessNAS and FBNet multiply the loss by a power of the cost, which goes on pushing down
    below the target.)
    """

    target_multiply_adds: int = setting(
        0,
        "The term pulls where the network that --mode=train makes by default has more"
        " multiply-adds.",
        unit="multiply-adds",
        minimum=0,
        maximum=10**18,
    )
    multiply_adds_weight: float = setting(
        1.0,
        "The share by which the expected multiply-adds are above the target counts with this"
        " weight.",
        minimum=0.0,
        maximum=1e6,
    )
    multiply_adds_ascent: float = setting(
        0.0,
        "The weight of the term rises at an epoch's end by that share, times this factor.",
        minimum=0.0,
        maximum=1e6,
    )

    def check(self, config: Any) -> None:
        check_costs(config, f"--alpha_terms={self.name}")
        if not self.target_multiply_adds:
            raise UserError(
                f"--alpha_terms={self.name} needs a target; give --target_multiply_adds=N, of the"
                " network that --mode=train makes by default."
            )

    def value(self, alphas: Alphas, mixing: Mixing, moment: Moment) -> tf.Tensor:
        costs = self.facts.costs()
        excess = (
            costs.base / self.target_multiply_adds
            - 1.0
            + tf.add_n(
                [
                    tf.reduce_sum(table * (costs.tables[kind] / self.target_multiply_adds))
                    for kind, table in mixing.items()
                ]
            )
        )
        weight = moment.numbers.get(_WEIGHT, self.multiply_adds_weight)
        return weight * tf.maximum(excess, 0.0)

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        # The weight follows from what was measured, so a search that goes on has the same.
        expected = [record["monitors"][_EXPECTED] for record in history]
        above = sum(max(0.0, value / self.target_multiply_adds - 1.0) for value in expected)
        weight = self.multiply_adds_weight + self.multiply_adds_ascent * above
        return Directions(numbers={_WEIGHT: weight})

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        return {_EXPECTED: self.facts.costs().expected(probe.reading)}
