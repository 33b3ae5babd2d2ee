"""Discrete cells: what a search leaves behind and every other mode takes.

A genotype is data, of one class for all spaces: what it may hold, its space's topologies say, by
which it checks itself when it is made. `cells/genotype_files.py` writes and reads genotypes, and
`cells/published.py` has the published ones.
"""

import dataclasses
import functools
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from tf_darts.cells.discrete_cell import DiscreteCell, Edge, check_fields, checked_cell
from tf_darts.cells.space import Space, find_space, spaces
from tf_darts.errors import UserError

# The candidate operations in the order of the columns of α (docs/method.md sections 4 and 5).
RECURRENT_PRIMITIVES = ("none", "tanh", "relu", "sigmoid", "identity")
CONVOLUTIONAL_PRIMITIVES = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
# Outside the paper's space: published cells of NASNet and AmoebaNet need the first two, and S4 of
# RobustDARTS has the last.
EXTRA_CONVOLUTIONAL_PRIMITIVES = ("sep_conv_7x7", "conv_7x1_1x7", "noise")
_PRIMITIVES = {"convolutional": CONVOLUTIONAL_PRIMITIVES, "recurrent": RECURRENT_PRIMITIVES}
_added: dict[str, list[str]] = {space: [] for space in _PRIMITIVES}


def check_primitive_name(name: str, taken: Container[str], call: str) -> None:
    """Raises `UserError` where an operation that is added cannot be called so.

    Args:
      name: of letters, digits, `_`, `-`, `+` and `.`.
      taken: the names that there are.
      call: the function by which it is added.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[\w.+-]+", name):
        raise UserError(
            f"{call}: {name!r:.60} is no name; give letters, digits and _, by which"
            " --operations and genotypes may name it."
        )
    if name in taken:
        raise UserError(f"{call}: there is an operation {name!r} already; choose a name.")


def add_primitive(space: str, name: str) -> None:
    """One candidate more for searches, the last, and for cells, as long as this process lives."""
    _added[space].append(name)


def primitives_of(space: str) -> tuple[str, ...]:
    """The candidates of searches in a space: the paper's, then those added, in α's columns."""
    return (*_PRIMITIVES[space], *_added[space])


def added_primitives() -> frozenset[str]:
    """What `add_primitive` added, in all spaces."""
    return frozenset(name for names in _added.values() for name in names)


@dataclasses.dataclass(frozen=True, init=False, eq=False, repr=False)
class Genotype:
    """The discrete cells of a space; each space has a subclass, which `genotype_class` gives.

    It is made of its fields in their order or by name: for each kind of cell its edges, and the
    nodes that its output joins or averages where the space leaves that open. Edges are
    `(operation, predecessor)`, node by node, or flat; lists and ranges become tuples.

    Attributes:
      space: the name of the space.
      cells: the discrete cell of each kind.
      provenance: where the cell is from, as JSON types; cells that differ in it alone are equal.
    """

    space: ClassVar[str]
    aliases: ClassVar[Mapping[str, str]] = {}  # names of fields in Python that JSON has not

    cells: Mapping[str, DiscreteCell]
    provenance: Mapping[str, Any]

    def __init__(
        self,
        *values: Any,
        cells: Mapping[str, DiscreteCell] | None = None,
        provenance: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> None:
        """Makes a genotype of its fields, or of `cells` that another one has.

        Raises:
          UserError: the space has no such cells.
          TypeError: these are not its fields.
        """
        if cells is None:
            cells = self._checked(values, named)
        object.__setattr__(self, "cells", dict(cells))
        object.__setattr__(self, "provenance", {} if provenance is None else provenance)

    @classmethod
    def _record(cls) -> Space:
        return find_space(cls.space)

    @classmethod
    def _checked(cls, values: Sequence[Any], named: Mapping[str, Any]) -> dict[str, DiscreteCell]:
        space = cls._record()
        names = space.all_fields
        fields = dict(zip(names, values, strict=False))
        named_fields = {cls.aliases.get(name, name): value for name, value in named.items()}
        if len(values) > len(names) or fields.keys() & named_fields.keys():
            raise TypeError(f"{cls.__name__} takes the fields {', '.join(names)}, each once")
        fields |= named_fields
        if fields.keys() != set(names):
            raise TypeError(f"{cls.__name__} takes the fields {', '.join(names)}")
        cells = {}
        for kind, topology in space.topologies.items():
            own = [fields[name] for name in space.fields_of(kind, topology)]
            location = f"{space.fields_of(kind, topology)[0]} cell"
            operations = (*topology.all_operations, *space.extra_operations)
            cells[kind] = checked_cell(
                topology, operations, location, *own, takes_more=cls.space in _PRIMITIVES
            )
        return cells

    @classmethod
    def from_cells(cls, cells: Mapping[str, Sequence[Sequence[Edge]]]) -> Self:
        """From derived edges by node, `{"normal": ..., "reduce": ...}`; every node is joined."""
        space, fields = cls._record(), {}
        for kind, topology in space.topologies.items():
            nodes = cells[kind]
            joined = range(topology.inputs, topology.inputs + len(nodes))
            names = space.fields_of(kind, topology)
            fields |= dict(zip(names, (nodes, joined), strict=False))
        return cls(*fields.values())

    @classmethod
    def from_dict(cls, cell: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; raises `UserError` on cells that cannot be."""
        names = cls._record().all_fields
        check_fields(cell, names)
        return cls(*(cell[name] for name in names))

    def to_dict(self) -> dict[str, Any]:
        """The cells as JSON types, edges in a flat list, node after node."""
        space, document = self._record(), {}
        for kind, topology in space.topologies.items():
            nodes, concat = self.cells[kind]
            values = ([list(edge) for node in nodes for edge in node], list(concat))
            names = space.fields_of(kind, topology)
            document |= dict(zip(names, values, strict=False))
        return document

    def blocked(self) -> str:
        """A sentence on the kinds of cells through which nothing passes; "" where all let through.

        The output of such a cell knows nothing of its inputs, `none` being in between.
        """
        topologies = self._record().topologies
        kinds = [
            kind
            for kind, cell in self.cells.items()
            if not cell.is_connected(topologies[kind].inputs)
        ]
        if not kinds:
            return ""
        which = " and ".join(kinds) if len(topologies) > 1 else ""
        return (
            f"Nothing passes through the {which + ' ' if which else ''}cell{'s'[: len(kinds) - 1]}:"
            " `none` lies on every way from input to output."
        )

    def with_provenance(self, provenance: Mapping[str, Any]) -> Self:
        """The same cells, from elsewhere."""
        return type(self)(cells=self.cells, provenance=provenance)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Genotype):
            return NotImplemented
        return (self.space, self.cells) == (other.space, other.cells)

    def __hash__(self) -> int:
        return hash((self.space, *self.cells.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.space, self.cells, self.provenance)

    def __repr__(self) -> str:
        names = {name: alias for alias, name in self.aliases.items()}
        fields = [f"{names.get(name, name)}={value!r}" for name, value in self.to_dict().items()]
        return f"{type(self).__name__}({', '.join(fields)})"

    def __str__(self) -> str:
        texts = []
        for kind, topology in self._record().topologies.items():
            between = " " if topology.keep == 1 else " | "
            nodes = (" ".join(f"{o}:{p}" for o, p in node) for node in self.cells[kind].nodes)
            texts.append((kind, between.join(nodes)))
        if len(texts) == 1:
            return texts[0][1]
        return " / ".join(f"{kind} {text}" for kind, text in texts)


class RecurrentGenotype(Genotype):
    """A recurrent cell: node 0 mixes input and state, node i+1 applies `edges[i]`.

    `RecurrentGenotype(edges, concat)` has one `(operation, predecessor)` for each node after the
    first, and the nodes whose mean is the cell's output.
    """

    space: ClassVar[str] = "recurrent"
    aliases: ClassVar[Mapping[str, str]] = {"edges": "recurrent"}

    @property
    def edges(self) -> tuple[Edge, ...]:
        """One for each node after the first."""
        return tuple(node[0] for node in self.cells["cell"].nodes)

    @property
    def concat(self) -> tuple[int, ...]:
        """The nodes whose mean is the cell's output."""
        return self.cells["cell"].concat


class ConvolutionalGenotype(Genotype):
    """A normal and a reduction cell; nodes 0 and 1 are the outputs of the two cells before.

    `ConvolutionalGenotype(normal, normal_concat, reduce, reduce_concat)` has for each intermediate
    node its two edges, and the nodes concatenated into the output; all flat, it is the official
    named tuple.
    """

    space: ClassVar[str] = "convolutional"

    @property
    def normal(self) -> tuple[tuple[Edge, ...], ...]:
        """The edges of each node of the normal cell."""
        return self.cells["normal"].nodes

    @property
    def normal_concat(self) -> tuple[int, ...]:
        """The nodes concatenated into the normal cell's output."""
        return self.cells["normal"].concat

    @property
    def reduce(self) -> tuple[tuple[Edge, ...], ...]:
        """The edges of each node of the reduction cell."""
        return self.cells["reduce"].nodes

    @property
    def reduce_concat(self) -> tuple[int, ...]:
        """The nodes concatenated into the reduction cell's output."""
        return self.cells["reduce"].concat


@functools.cache
def _made_class(space: str) -> type[Genotype]:
    """A class for a space that has none of its own."""
    return type(f"{space.title().replace('_', '')}Genotype", (Genotype,), {"space": space})


def _named_class(space: str) -> type[Genotype]:
    """The class of a space's name, whether there is such a space or not."""
    classes = {kind.space: kind for kind in (RecurrentGenotype, ConvolutionalGenotype)}
    return classes.get(space) or _made_class(space)


def _restored(
    space: str, cells: Mapping[str, DiscreteCell], provenance: Mapping[str, Any]
) -> Genotype:
    """A genotype out of a pickle."""
    return _named_class(space)(cells=cells, provenance=provenance)


def genotype_class(space: str) -> type[Genotype]:
    """The class of a space's cells; raises `UserError` where there is no such space."""
    return _named_class(find_space(space).name)


class _Classes(Mapping[str, type[Genotype]]):
    """The class of every space that there is."""

    def __getitem__(self, space: str) -> type[Genotype]:
        return _named_class(spaces()[space].name)

    def __iter__(self) -> Iterator[str]:
        return iter(spaces())

    def __len__(self) -> int:
        return len(spaces())


SPACES: Mapping[str, type[Genotype]] = _Classes()
