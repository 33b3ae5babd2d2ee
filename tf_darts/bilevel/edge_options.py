"""What edges are besides their mixtures: the fifth door of a search method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from etils import epy

from tf_darts.bilevel.relaxation import Moment, Relaxation
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import Part
from tf_darts.errors import UserError

with epy.lazy_imports():
    import keras
    import tensorflow as tf

if TYPE_CHECKING:
    from tf_darts.spaces.edge_wrappers import EdgeMaker, EdgePlace
    from tf_darts.spaces.supernet import Alphas, Mixing


class EdgeOption(Part):
    """An option of every edge, whatever the relaxation is.

    A member gives `edge_factors`, which any space takes; or `wrapped`, which puts a layer around
    the mixed operation, in spaces whose record says that their edges take such (`wraps_edges`). It
    has no state; what changes with time are `numbers` of the edge's row.

    Attributes:
      numbers: how many its layer takes behind the row of the layer inside.
    """

    kind: ClassVar[str] = "edge_options"
    needs: ClassVar[tuple[str, ...]] = ("edge_factors", "wrapped")
    numbers: ClassVar[int] = 0

    def variables(
        self, cells: Mapping[str, CellTopology], scale: float, seed: int
    ) -> dict[str, keras.Variable]:
        """Architecture parameters of its own; arguments as of `Relaxation.variables`."""
        del cells, scale, seed
        return {}

    def edge_factors(
        self, alphas: Alphas, moment: Moment, cells: Mapping[str, CellTopology]
    ) -> Mixing | None:
        """A factor of each edge's whole output, [edges] for each kind of cell; None: 1."""
        del alphas, moment, cells
        return None

    def wrapped(self, make: EdgeMaker, place: EdgePlace) -> EdgeMaker:
        """Makes of what makes an edge's layer what makes another one around it.

        A layer is called as `edge(inputs, row, training=...)`: inputs [B, H, W, C], and a row that
        has the inner edge's numbers first and then its own.

        Args:
          make: gives the inner layer for so many channels.
          place: of the edge.
        """
        del place
        return make

    def numbers_at(self, moment: Moment, epochs: int) -> Sequence[tf.Tensor]:
        """Its `numbers`, scalars, alike for all edges.

        Args:
          moment: where the search stands.
          epochs: T, how many epochs were asked for.
        """
        del moment, epochs
        return ()

    def passes_by(self) -> bool:
        """Whether an edge hands something on though all its mixing weights are 0."""
        return False

    def passes_by_in_the_end(self) -> bool:
        """The same in the epochs that a derivation adds, after the search's own."""
        return self.passes_by()

    def cutout(self) -> tuple[int, float]:
        """The side in pixels of a square that images lose, and how probable that is in the end.

        The probability rises from 0 in the first epoch, as `Moment.ramp`. By default none is lost.
        """
        return 0, 0.0

    @classmethod
    def wraps(cls) -> bool:
        """Whether it changes what an edge computes."""
        return cls.wrapped is not EdgeOption.wrapped


def check_lost_edges(part: Part, config: Any, *, in_the_end: bool = False) -> None:
    """Raises `UserError` where a part takes edges out that would hand something on all the same.

    Args:
      part: of the search; it gives all mixing weights of an edge the value 0.
      config: the search's.
      in_the_end: whether it does so only in the epochs that a derivation adds.
    """
    graphs = config.cells.values()
    if all(g.kept(node) == g.inputs + node for g in graphs for node in range(g.nodes)):
        return  # no edge is ever out as a whole
    for option in config.make_parts("edge_options"):
        if option.passes_by_in_the_end() if in_the_end else option.passes_by():
            raise UserError(
                f"--{part.kind}={part.name}: it takes edges out by mixing weights of 0, and with"
                f" --edge_options={option.name} an edge without operations still hands on what goes"
                " past them; leave one of the two out."
            )


class OptionedRelaxation(Relaxation):
    """A relaxation beside edge options, which have factors and parameters of their own.

    The relaxation sees its own parameters alone.

    Args:
      relaxation: makes the mixing weights.
      options: of the edges.
      cells: the topology of each kind of cell.
      epochs: T, how many epochs were asked for.
    """

    def __init__(
        self,
        relaxation: Relaxation,
        options: Sequence[EdgeOption],
        cells: Mapping[str, CellTopology],
        epochs: int,
    ) -> None:
        self._relaxation = relaxation
        self._options = tuple(options)
        self._cells = cells
        self._epochs = epochs
        self._option_names = {
            name for option in options for name in option.variables(cells, 0.0, 0)
        }

    @property
    def normalized(self) -> bool:  # type: ignore[override]
        return self._relaxation.normalized

    @property
    def one_hot(self) -> bool:  # type: ignore[override]
        return self._relaxation.one_hot

    def two_phases(self) -> bool:  # type: ignore[override]
        return self._relaxation.two_phases()

    def attacks(self) -> bool:  # type: ignore[override]
        return self._relaxation.attacks()

    def variables(
        self, cells: Mapping[str, CellTopology], scale: float, seed: int
    ) -> dict[str, keras.Variable]:
        variables = self._relaxation.variables(cells, scale, seed)
        for option in self._options:
            variables |= option.variables(cells, scale, seed)
        return variables

    def mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        return self._relaxation.mixing(self._own(alphas), moment)

    def weight_mixing(self, alphas: Alphas, moment: Moment) -> Mixing:
        return self._relaxation.weight_mixing(self._own(alphas), moment)

    def attack(
        self,
        mixing: Mixing,
        moment: Moment,
        loss: Callable[[Mixing], tf.Tensor],
        gradient: Callable[[Mixing], Mixing],
    ) -> Mixing:
        return self._relaxation.attack(mixing, moment, loss, gradient)

    def reading(self, alphas: Alphas, moment: Moment) -> Mixing:
        return self._relaxation.reading(self._own(alphas), moment)

    def ranking(self, alphas: Alphas, moment: Moment) -> Mixing:
        return self._relaxation.ranking(self._own(alphas), moment)

    def edge_factors(self, alphas: Alphas, moment: Moment) -> Mixing | None:
        product = self._relaxation.edge_factors(self._own(alphas), moment)
        for option in self._options:
            factors = option.edge_factors(alphas, moment, self._cells)
            if product is None:
                product = factors
            elif factors is not None:
                product = {kind: product[kind] * factors[kind] for kind in product}
        return product

    def edge_numbers(self, moment: Moment) -> list[tf.Tensor]:
        return [n for option in self._options for n in option.numbers_at(moment, self._epochs)]

    def _own(self, alphas: Alphas) -> Alphas:
        return {name: a for name, a in alphas.items() if name not in self._option_names}
