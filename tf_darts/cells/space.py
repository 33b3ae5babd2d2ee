"""A space as data, and all spaces by name: what everybody else asks of one.

A space is a folder in `tf_darts/spaces/` whose module `space` registers a `Space`, or a file of
one's own that does so (docs/own_space.md). It stands here, below the settings and the genotypes,
because both read it; what a space computes is far above, so functions may be given as texts. No
module here imports TensorFlow.
"""

import dataclasses
import importlib
import importlib.util
import pkgutil
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

from tf_darts.cells.table_form import TableForm
from tf_darts.cells.topology import CellLabels, CellTopology
from tf_darts.errors import UserError, did_you_mean
from tf_darts.runtime.files import shown

# The kinds of data that a space may be for.
IMAGES, TEXTS = "images", "texts"

_SHOWN = 40  # characters of a name that nobody has; the flag has it already


# The operations of all edges; or by kind of cell those of each edge.
OperationLists = tuple[str, ...] | Mapping[str, tuple[tuple[str, ...], ...]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """What is searched, trained, exported and drawn under a name.

    Attributes:
      name: what `--space` and files call it.
      data: the kind of data that it learns from, IMAGES or TEXTS.
      graphs: by kind of cell, what makes its topology: the whole space, every operation in it.
      search: its searches' settings, a `SearchConfig` for its kind of data.
      training: its trainings' settings, a `TrainingConfig` for its kind of data.
      supernet: makes a `Supernet` of a search's settings, the facts of its data (`data/facts.py`)
        and the topology of each kind of cell; or where it is, "PACKAGE.MODULE:NAME".
      objective: makes a `TrainingObjective` of a training's settings, a genotype and the facts of
        its data; or where it is.
      counts: how large the network is that `objective` trains, of the same arguments; None asks the
        objective itself, which takes longer.
      operation_costs: makes the `Costs` (`cells/costs.py`) of the networks that are trained, of a
        training's settings, the facts of its data and the topology of each kind of cell; or where
        it is; None: operations have no costs of their own, see `why_no_costs`.
      why_no_costs: why that is so, as the end of "The space NAME has no costs of operations: ".
      score: name of the score by which people judge, and whether "min" or "max" is best; None: of
        its kind of data.
      presets: values of its own for a mode and data set, laid over its settings.
      default: whether it is the one that data of its kind take where none is named.
      fields: by kind of cell, the names in JSON of its edges and of the nodes that its output
        joins; where a kind is not named, KIND and KIND_concat.
      labels: by kind of cell, what is written into its drawing.
      operation_lists: names that `--operations` may have, each a list for all edges, or by kind of
        cell a list for each edge.
      parameter_free: operations that learn nothing, of which alone no edge is made.
      extra_operations: what cells may have besides what is searched.
      published: cells by name, each as `Genotype.to_dict` has it; or where they are,
        "PACKAGE.MODULE:NAME".
      answer: of `published`, the name of the cell that is right by construction, in a space that
        keeps every edge; None where nobody knows one.
      wraps_edges: whether its supernet puts the edge options of a search around its edges
        (`spaces/edge_wrappers.py`).
      text_form: how other programs write a cell of it, where they have a form of their own: a
        pattern that a text begins with which is one, and what makes of it a cell as
        `Genotype.to_dict` has it (or where that is; it raises `UserError` for texts that are none).
      table: how tables of its trained cells have a cell, for `--table`; None where there are none.
    """

    name: str
    data: str
    graphs: Mapping[str, Callable[[], CellTopology]]
    search: Any
    training: Any
    supernet: Callable[..., Any] | str
    objective: Callable[..., Any] | str
    counts: Callable[..., dict[str, int]] | str | None = None
    operation_costs: Callable[..., Any] | str | None = None
    why_no_costs: str = "its record (tf_darts.Space) says none"
    score: tuple[str, str] | None = None
    presets: Mapping[tuple[str, str], Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    default: bool = False
    fields: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, CellLabels] = dataclasses.field(default_factory=dict)
    operation_lists: Mapping[str, OperationLists] = dataclasses.field(default_factory=dict)
    parameter_free: tuple[str, ...] = ("none",)
    extra_operations: tuple[str, ...] = ()
    published: Mapping[str, Mapping[str, Any]] | str = dataclasses.field(default_factory=dict)
    answer: str | None = None
    wraps_edges: bool = False
    text_form: tuple[str, Callable[[str], Mapping[str, Any]] | str] | None = None
    table: TableForm | None = None

    @property
    def judged_by(self) -> tuple[str, str]:
        """Name and mode of the score by which people judge its runs."""
        return self.score or {IMAGES: ("accuracy", "max"), TEXTS: ("perplexity", "min")}[self.data]

    @property
    def topologies(self) -> dict[str, CellTopology]:
        """The topology of each kind of cell; made anew, because operations can be added."""
        return {kind: graph() for kind, graph in self.graphs.items()}

    def narrowed(self, operations: str) -> dict[str, CellTopology]:
        """The topologies with other operations on their edges.

        Args:
          operations: one of `operation_lists`, names with commas, or "" for all that there are.

        Raises:
          UserError: an operation is not known, or there twice, or none of them learns anything.
        """
        if not operations:
            return self.topologies
        flag = f"--operations={shown(operations)}"
        named = self.operation_lists.get(operations)
        names = tuple(part.strip() for part in operations.split(",")) if named is None else named
        if isinstance(names, Mapping):
            return {
                kind: dataclasses.replace(topology, operations=names[kind])
                for kind, topology in self.topologies.items()
            }
        self._check_operations(names, flag)
        return {
            kind: dataclasses.replace(topology, operations=names)
            for kind, topology in self.topologies.items()
        }

    def _check_operations(self, names: tuple[str, ...], flag: str) -> None:
        searched = (name for graph in self.topologies.values() for name in graph.all_operations)
        known = [*dict.fromkeys((*searched, *self.extra_operations))]
        for name in names:
            if name not in known:
                hint = did_you_mean(name, [*known, *self.operation_lists], 1, 0.5)
                lists = f", or give one of the lists {', '.join(self.operation_lists)}"
                unknown = shown(repr(name), _SHOWN)
                raise UserError(
                    f"{flag}: {unknown} is no operation of the space {self.name}{hint};"
                    f" name some of {', '.join(known)}{lists if self.operation_lists else ''}."
                )
        if len(set(names)) < len(names):
            raise UserError(f"{flag}: an operation is there twice; name each once.")
        if not set(names) - set(self.parameter_free):
            raise UserError(
                f"{flag}: none of these has weights, so no cell would learn anything; add one of"
                f" {', '.join(name for name in known if name not in self.parameter_free)}."
            )

    def fields_of(self, kind: str, topology: CellTopology) -> tuple[str, ...]:
        """The names of a kind of cell in JSON: of its edges, and of its output where it joins."""
        names = self.fields.get(kind, (kind, f"{kind}_concat"))
        return names[:1] if topology.output == "last" else names

    @property
    def all_fields(self) -> tuple[str, ...]:
        """The names of a genotype in JSON, in their order."""
        return tuple(n for kind, t in self.topologies.items() for n in self.fields_of(kind, t))


_SPACES: dict[str, Space] = {}
_searched: list[bool] = []  # whether the folders of `tf_darts/spaces/` were looked through


def register_space(space: Space) -> Space:
    """Makes a space known, as long as this process lives; returns it.

    Raises:
      UserError: its name is none or is taken, its graphs make no topologies, its data are of no
        known kind, its answer cannot be compared with, or a setting of its is none or has another
        type than the setting of that name elsewhere.
    """
    if not isinstance(space.name, str) or not re.fullmatch(r"[\w.+-]+", space.name):
        raise UserError(
            f"register_space: {space.name!r:.60} is no name; give letters, digits and _, by which"
            " --space and run directories may name it."
        )
    if space.name in spaces():
        raise UserError(f"register_space: there is a space {space.name!r} already; choose a name.")
    if space.data not in (IMAGES, TEXTS):
        raise UserError(
            f"register_space: {space.name!r} is for {space.data!r}; data are {IMAGES} or {TEXTS}."
        )
    _check_graphs(space)
    for settings in (space.search, space.training):
        _check_settings(settings)
    _check_presets(space)
    if space.answer is not None:
        _check_answer(space)
    _SPACES[space.name] = space
    return space


def _check_graphs(space: Space) -> None:
    """Raises `UserError` where its graphs do not make a topology for each kind of cell."""
    where = f"register_space: {space.name!r}"
    if not isinstance(space.graphs, Mapping) or not space.graphs:
        raise UserError(f"{where} has no graphs; give one for each kind of cell, by its name.")
    for kind, graph in space.graphs.items():
        if not callable(graph):
            raise UserError(
                f"{where}: what makes the graph of {kind!r} is a {type(graph).__name__}; give a"
                " function that returns a CellTopology."
            )
        made = graph()
        if not isinstance(made, CellTopology):
            raise UserError(
                f"{where}: the graph of {kind!r} is a {type(made).__name__}; return a CellTopology."
            )


def _check_presets(space: Space) -> None:
    """Raises `UserError` where a space's values for a data set are of no setting of its."""
    of_mode = {"search": space.search, "train": space.training}
    for (mode, dataset), values in space.presets.items():
        where = f"register_space: {space.name!r} has presets for {(mode, dataset)}"
        if mode not in of_mode:
            raise UserError(f"{where}; the modes are {', '.join(of_mode)}.")
        known = {field.name for field in dataclasses.fields(of_mode[mode])}
        for name in values:
            if name not in known:
                hint = did_you_mean(name, known)
                raise UserError(f"{where} with {name!r}, which is none of its settings{hint}.")


def _check_answer(space: Space) -> None:
    """Raises `UserError` where searches could not say how much of the answer they found."""
    if isinstance(space.published, Mapping) and space.answer not in space.published:
        raise UserError(
            f"register_space: {space.name!r} has no published cell {space.answer!r}, which is to be"
            " its answer; publish it, or leave the answer out."
        )
    if any(topology.keep is not None for topology in space.topologies.values()):
        raise UserError(
            f"register_space: {space.name!r} has an answer, and its cells do not keep every edge;"
            " give its topologies keep=None, or leave the answer out."
        )


def _check_settings(settings: Any) -> None:
    """Raises `UserError` where the fields of a configuration cannot be flags."""
    name = type(settings).__name__
    if not dataclasses.is_dataclass(settings) or isinstance(settings, type):
        raise UserError(
            f"register_space: {settings!r:.60} is no configuration; make one of a class."
        )
    hints = typing.get_type_hints(type(settings))
    others = [other for space in _SPACES.values() for other in (space.search, space.training)]
    for field in dataclasses.fields(settings):
        field.type = hints[field.name]  # not its text, where annotations are postponed
        if "help" not in field.metadata:
            raise UserError(
                f"register_space: {name}.{field.name} is no setting; write {field.name}: TYPE ="
                " setting(DEFAULT, HELP)."
            )
        kinds = {
            f.type for other in others for f in dataclasses.fields(other) if f.name == field.name
        }
        if kinds - {field.type}:
            raise UserError(
                f"register_space: {name}.{field.name} has the type {field.type.__name__}, and"
                f" elsewhere the setting is of {kinds.pop().__name__}; give it another name."
            )


def spaces() -> Mapping[str, Space]:
    """All spaces by name: the default ones of each kind of data first."""
    if not _searched:
        _searched.append(True)  # before, since the modules register what they have
        folder = importlib.import_module("tf_darts.spaces")
        for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            if module.ispkg and importlib.util.find_spec(f"{module.name}.space"):
                importlib.import_module(f"{module.name}.space")
    by_name = sorted(_SPACES.items())
    return dict(sorted(by_name, key=lambda item: not item[1].default))


def find_space(name: str) -> Space:
    """The space of a name; raises `UserError`, with the near one, where there is none."""
    known = spaces()
    if isinstance(name, str) and name in known:
        return known[name]
    hint = did_you_mean(name, known, 1)
    raise UserError(
        f"unknown space {shown(repr(name))}{hint}; known: {', '.join(known)}, and what a file of"
        " one's own registers, which --load=FILE.py brings in."
    )


def resolved(function: Callable[..., Any] | Mapping[str, Any] | str) -> Any:
    """What a field of a `Space` means: itself, or what its text "PACKAGE.MODULE:NAME" names."""
    return pkgutil.resolve_name(function) if isinstance(function, str) else function
