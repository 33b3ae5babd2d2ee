"""What the record of a search's epochs leads to: the third door of a search method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from tf_darts.cells.costs import Costs
from tf_darts.cells.genotype import Edge
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import Part

if TYPE_CHECKING:
    from tf_darts.config.search import SearchConfig
    from tf_darts.spaces.supernet import Supernet

Record = Mapping[str, Any]


class SearchFacts(NamedTuple):
    """What a part knows of its search.

    Attributes:
      cells: the topology of each kind of cell.
      epochs: how many were asked for.
      seed: the run's.
      learning_rate: of w, in the first epoch.
      costs: gives the multiply-adds of the networks that `--mode=train` makes of the cells; None in
        a space that has none.
      parameter_free: the operations that learn nothing.
      weight_decay: of w, as the search begins.
      passes_by: whether an edge hands something on though all its mixing weights are 0.
      frozen_epochs: in how many epochs at its beginning rules let α stand still.
    """

    cells: Mapping[str, CellTopology]
    epochs: int
    seed: int = 0
    learning_rate: float = 0.0
    costs: Callable[[], Costs] | None = None
    parameter_free: tuple[str, ...] = ("none",)
    weight_decay: float = 0.0
    passes_by: bool = False
    frozen_epochs: int = 0

    @classmethod
    def of(cls, supernet: Supernet, config: SearchConfig) -> SearchFacts:
        """What there is to know of a supernet's search."""
        rate = config.weight_learning_rate
        free = find_space(supernet.genotype_class.space).parameter_free
        return cls(
            supernet.cells,
            config.epochs,
            config.seed,
            rate,
            supernet.costs,
            free,
            config.weight_decay,
            any(option.passes_by() for option in config.make_parts("edge_options")),
            frozen_epochs(config),
        )


class Stop(NamedTuple):
    """The search ends.

    Attributes:
      epoch: the one whose cell is the search's result, counted from 1.
      reason: why, as the end of "Stopped after epoch 22: ".
    """

    epoch: int
    reason: str


class Return(NamedTuple):
    """The search goes back to an earlier epoch's end: w, α, both optimisers and the record.

    Attributes:
      epoch: the one to whose end it goes, counted from 1; a rule has said that it may be
        (`EpochRule.kept`).
      measured: is added to the "monitors" of that epoch, where the rule finds what it changed: it
        must not say the same again.
      reason: why, as a sentence without its end.
    """

    epoch: int
    measured: Mapping[str, float]
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Directions:
    """How the next epoch goes.

    Attributes:
      freeze_alphas: α stays where it is, and only w moves.
      allowed: by kind of cell, which operations of an edge may still be chosen (1) or not (0), an
        array [edges, operations]; None: all. In every epoch of a search, or in none.
      weight_learning_rate: of w; None: as the search's schedule has it.
      weight_decay: of w, in the real and in the unrolled step; None: the search's own.
      numbers: by name, what relaxations and alpha terms find in `Moment.numbers`; the same names
        in every epoch, which no other rule gives.
      stop: there is no next epoch.
      back: the next epoch is the one after an earlier one.
    """

    freeze_alphas: bool = False
    allowed: Mapping[str, np.ndarray] | None = None
    weight_learning_rate: float | None = None
    weight_decay: float | None = None
    numbers: Mapping[str, float] = dataclasses.field(default_factory=dict)
    stop: Stop | None = None
    back: Return | None = None


def _not_lent(*_: Any) -> float:
    raise NotImplementedError("nobody lends a way to judge mixing weights here")


class SearchProbe(NamedTuple):
    """What a search lends to whoever measures it at an epoch's end.

    Attributes:
      cells: the topology of each kind of cell.
      epoch: the epoch that ends, counted from 1.
      epochs: how many were asked for.
      mixing: the weights by which a cell is derived now, [edges, operations] for each kind of cell.
      edges: those of the cell that is derived now, by node, for each kind of cell; {} when the
        derivation itself measures, on which they may depend.
      evaluate: gives the supernet's scores over the validation data, at α's reading or at the
        mixing weights that it is given.
      hessian_products: gives for so many validation batches, always the same ones, the functions
        v -> ∇²_α L_val · v at the current (w, α), of flat vectors with `parameters` numbers.
      parameters: how many architecture parameters there are.
      reading: α's reading without the edges' factors, of which `mixing` is the product: what
        `evaluate` and `worth` are given.
      worth: of mixing weights, how good the supernet is with them on the first so many batches of
        the validation data (0: all), always the same ones and not augmented, in training mode: at
        the batches' own statistics. It is the score by which people judge, negative where the
        smallest is best: the more, the better.
      history: the records of the epochs before, oldest first.
    """

    cells: Mapping[str, CellTopology]
    epoch: int
    epochs: int
    mixing: Mapping[str, np.ndarray]
    edges: Mapping[str, list[list[Edge]]]
    evaluate: Callable[..., dict[str, float]]
    hessian_products: Callable[[int], Iterable[Callable[[np.ndarray], np.ndarray]]]
    parameters: int
    reading: Mapping[str, np.ndarray] = {}
    worth: Callable[[Mapping[str, np.ndarray], int], float] = _not_lent
    history: Sequence[Record] = ()


class EpochRule(Part):
    """Looks at the record of the epochs and says how the next one goes.

    A rule has no state of its own: what it must remember it measures, and finds in the record,
    which is a part of every checkpoint. So a killed search that goes on is told the same.

    Attributes:
      always: whether every search has it, named or not: what it measures must cost little, and
        change nothing.
      stops: whether it may end a search before its last epoch.
      goes_back: whether it may take a search back to an earlier epoch's end.
    """

    kind: ClassVar[str] = "rules"
    always: ClassVar[bool] = False
    stops: ClassVar[bool] = False
    goes_back: ClassVar[bool] = False

    def directions(self, history: Sequence[Record], facts: SearchFacts) -> Directions:
        """How the epoch after those in `history` goes; asked before every epoch.

        Args:
          history: the records of the epochs that are over, oldest first.
          facts: of the search.
        """
        del history, facts
        return Directions()

    def measure(self, probe: SearchProbe) -> Mapping[str, float]:
        """What the record of the epoch that ends keeps as its "monitors": each is a curve too.

        Names are GROUP/NAME: what is of one group is drawn in one panel.
        """
        del probe
        return {}

    def frozen_epochs(self) -> int:
        """In how many epochs at a search's beginning it lets α stand still, whatever happens.

        Of these no other rule should judge cells: they are as good as random.
        """
        return 0

    def kept(self, epoch: int) -> Collection[int]:
        """The epochs to whose ends a later `Return` may go; each costs a checkpoint's room.

        Args:
          epoch: the one that ends; all are counted from 1.
        """
        del epoch
        return ()

    def stages(self) -> int:
        """How many searches follow one another as one run (`runs/stages.py`); by default one.

        Each is a search of its own, with the settings and the cells that are said here: in a
        network of its own, with w and α from the start, from its first epoch to its last.
        """
        return 1

    def settings_of_stage(self, stage: int) -> Mapping[str, Any]:
        """The settings that a stage has in place of the run's; the same names in every stage.

        Args:
          stage: counted from 0.
        """
        del stage
        return {}

    def cells_of_stage(
        self, stage: int, record: Record, cells: Mapping[str, CellTopology]
    ) -> Mapping[str, CellTopology]:
        """The topology of each kind of cell in a stage after the first.

        Args:
          stage: counted from 0.
          record: of the epoch that is the result of the stage before.
          cells: the topologies of the stage before.
        """
        del stage, record
        return cells


def frozen_epochs(config: SearchConfig) -> int:
    """In how many epochs at its beginning the rules of a search let α stand still."""
    return max((rule.frozen_epochs() for rule in config.make_parts("rules")), default=0)


def combined(each: Sequence[Directions]) -> Directions:
    """What several rules say together.

    Each may freeze, forbid and give numbers; of rates, decays, stops and returns the first counts.
    """
    rates = [rate for said in each if (rate := said.weight_learning_rate) is not None]
    allowed: dict[str, np.ndarray] = {}
    for directions in each:
        for name, table in (directions.allowed or {}).items():
            allowed[name] = np.asarray(table) * allowed.get(name, 1)
    return Directions(
        freeze_alphas=any(directions.freeze_alphas for directions in each),
        allowed=allowed or None,
        weight_learning_rate=next(iter(rates), None),
        weight_decay=next((d.weight_decay for d in each if d.weight_decay is not None), None),
        numbers={name: value for said in each for name, value in said.numbers.items()},
        stop=next((directions.stop for directions in each if directions.stop), None),
        back=next((directions.back for directions in each if directions.back), None),
    )
