"""The registry of search methods and of their parts. Nothing here imports TensorFlow.

A part is a class that says one thing of a search: how α becomes mixing weights (a relaxation), what
else pulls on α (alpha terms), what the record of epochs leads to (rules), how a cell is read off
(a derivation), what edges are besides their mixtures (edge options). A method is a composition of
parts, as data. Both are files of `methods/`, which are found there by name; files of others
register theirs with `--load=FILE.py`.
"""

import copy
import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from tf_darts.config.registration import (
    check_composition,
    check_default,
    check_free,
    check_spelling,
)
from tf_darts.config.setting import Members, check_choice, fields
from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

# The kinds of parts, by the setting that names them; those of which there may be several.
KINDS = ("relaxation", "alpha_terms", "rules", "derivation", "edge_options")
SEVERAL = ("alpha_terms", "rules", "edge_options")

ORDERS = ("alpha_first", "weights_first")


class Part:
    """A part of a search method: a frozen dataclass, whose fields are settings.

    Attributes:
      kind: one of `KINDS`; the base class of each kind says it.
      name: as in `--relaxation=NAME`; `register` gives it.
      about: the first line of the class's docstring, for `--help`.
      needs: methods of the base class, one of which a member must give.
      unused: settings of every search that mean nothing beside this part.
      facts: what a part knows of its search (`bilevel/epoch_rules.py:SearchFacts`) while that
        runs; None before.
    """

    kind: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    unused: ClassVar[tuple[str, ...]] = ()
    name: ClassVar[str]
    about: ClassVar[str]
    facts: ClassVar[Any] = None

    def of(self, facts: Any) -> Self:
        """The part as one of a search, which it may refuse as `check` does.

        Args:
          facts: of the search.
        """
        part = copy.copy(self)
        object.__setattr__(part, "facts", facts)
        return part

    def check(self, config: Any) -> None:
        """Raises `UserError` where the part does not go with a search.

        Args:
          config: the search's whole configuration.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """A search method: a composition of parts.

    Attributes:
      name: as in `--method=NAME`.
      about: what it is, for `--help`.
      relaxation, alpha_terms, rules, derivation, edge_options: the names of its parts.
      hypergradient: the name of its estimate, unless the user chooses another.
      step_order: whether α moves before w, as in the paper, or after it; None: as the space has it.
      step: the class of its step, "PACKAGE.MODULE:NAME".
      optimization: "bilevel", where α learns from validation data; otherwise both learn from all
        data, and the method has no other estimate than its own.
      unused: settings that mean nothing for its step.
      settings: values of settings that are its own, in place of the data set's.
      factors: of settings whose values are so many times the data set's. A search of such a method
        keeps its name, whatever else is chosen.
      by_space: by the name of a space what is other there: parts, and "settings", which are laid
        over those above.
      colour: in plots; None: one that is left.
    """

    name: str
    about: str
    relaxation: str = "softmax"
    alpha_terms: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    derivation: str = "strongest_edges"
    edge_options: tuple[str, ...] = ()
    hypergradient: str = "finite_difference"
    step_order: str | None = None
    step: str = "tf_darts.bilevel.step:BilevelStep"
    optimization: str = "bilevel"
    unused: tuple[str, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    factors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    by_space: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    colour: str | None = None

    @property
    def step_class(self) -> Any:
        """The class of its step."""
        return pkgutil.resolve_name(self.step)

    def of_space(self, space: str) -> Self:
        """The method as it is in a space, by its name."""
        other = dict(self.by_space.get(space, {}))
        settings = {**self.settings, **other.pop("settings", {})}
        return dataclasses.replace(self, **other, settings=settings)

    @property
    def parts(self) -> dict[str, str]:
        """The settings that name its parts, as texts."""
        return {
            "relaxation": self.relaxation,
            "alpha_terms": ",".join(self.alpha_terms),
            "rules": ",".join(self.rules),
            "derivation": self.derivation,
            "edge_options": ",".join(self.edge_options),
            "hypergradient": self.hypergradient,
            "step_order": self.step_order or ORDERS[0],
        }


_parts: dict[str, dict[str, type[Part]]] = {kind: {} for kind in KINDS}
_methods: dict[str, Method] = {}
_imported: list[bool] = []


@typing.dataclass_transform(frozen_default=True, kw_only_default=True)
def register(name: str) -> Callable[[type], type]:
    """A decorator: makes a class a part of that name, and a frozen dataclass of its settings.

    Raises:
      UserError: the name is taken, the class gives nothing of what its kind needs, a field is no
        setting, or a method's name seems misspelt.
    """

    def decorate(cls: type) -> type:
        if cls.kind not in KINDS:
            raise UserError(f"{cls.__name__}: its kind {cls.kind!r} is none of {', '.join(KINDS)}.")
        _check_free(f"--{cls.kind}", name, _parts[cls.kind])
        if "name" in vars(cls):
            raise UserError(
                f"{cls.__name__} is registered as {cls.name} already; register a class of its own."
            )
        door = next(base for base in cls.__mro__ if "needs" in vars(base))
        if cls.needs and all(getattr(cls, n) is getattr(door, n) for n in cls.needs):
            raise UserError(
                f"{cls.__name__}: gives no {' and no '.join(cls.needs)}, and would end a search in"
                " the middle; add it."
            )
        check_spelling(cls)
        cls = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            field.type = hints[field.name]  # not its text, where annotations are postponed
            if "help" not in field.metadata:
                raise UserError(
                    f"{cls.__name__}.{field.name} is no setting; write {field.name}: TYPE ="
                    " setting(DEFAULT, HELP)."
                )
            check_default(cls, field)
        cls.name = name
        cls.about = (cls.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        _parts[cls.kind][name] = cls
        return cls

    return decorate


def register_method(name: str, about: str, **composition: Any) -> Method:
    """Makes a composition a method of that name; raises `UserError` where the name is taken."""
    _check_free("--method", name, _methods)
    known = {field.name for field in dataclasses.fields(Method)}
    check_composition(name, composition, known, SEVERAL)
    order = composition.get("step_order")
    if order is not None and order not in ORDERS:
        raise UserError(f"--method={name}: its step_order is {order!r}; use {' or '.join(ORDERS)}.")
    method = Method(name=name, about=about, **composition)
    for space in method.by_space:
        method.of_space(space)  # where it names no field, here rather than in a search
    _methods[name] = method
    return method


def _check_free(flag: str, name: str, members: Mapping[str, Any]) -> None:
    _import_members()  # ours first: a file of others may not take their names
    check_free(flag, name, members)


def _import_members() -> None:
    """Imports every file of `methods/`, which register themselves; once."""
    if _imported:
        return  # or being imported: the files register what they have meanwhile
    _imported.append(True)
    package = importlib.import_module("tf_darts.methods")
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        importlib.import_module(f"{package.__name__}.{module.name}")


def methods() -> Mapping[str, Method]:
    """All methods by name."""
    _import_members()
    return _methods


def parts(kind: str) -> Mapping[str, type[Part]]:
    """All parts of a kind by name."""
    _import_members()
    return _parts[kind]


def part_settings() -> dict[str, dataclasses.Field]:
    """The settings of all parts by name; parts that share a setting share its name."""
    return {
        name: field
        for kind in KINDS
        for part in parts(kind).values()
        for name, field in fields(part).items()
    }


def owners(name: str) -> list[str]:
    """The flags by whose parts a setting is used: "--relaxation=temperature".

    Of a part that every search has it is "searches".
    """
    return [
        "searches" if part in monitors() else f"--{kind}={part.name}"
        for kind in KINDS
        for part in parts(kind).values()
        if name in fields(part)
    ]


def find_method(name: str) -> Method:
    """The method of that name; raises `UserError` where there is none."""
    if flags := _flags_of_label(name):
        raise UserError(f"--method={name}: reports call it so; give {flags}.")
    return _found("method", name, methods())


def _flags_of_label(name: str) -> str:
    """The flags of a label as "darts_pt+beta_decay"; "" of all that is no method with parts."""
    method, *others = name.split("+")
    chosen: dict[str, list[str]] = {}
    for other in others:
        kind = next((kind for kind in KINDS if other in parts(kind)), None)
        if kind is None:
            return ""
        chosen.setdefault(kind, []).append(other)
    if not others or method not in methods():
        return ""
    flags = (f"--{kind}={','.join(names)}" for kind, names in chosen.items())
    return " ".join([f"--method={method}", *flags])


def monitors() -> tuple[type[Part], ...]:
    """The rules that every search has, named or not."""
    return tuple(part for part in parts("rules").values() if part.always)


def find_parts(kind: str, names: str) -> tuple[type[Part], ...]:
    """The parts that a setting names.

    Args:
      kind: one of `KINDS`.
      names: one name, or several with commas for the kinds that are `SEVERAL`.

    Raises:
      UserError: there is none of that name, or it is there twice.
    """
    listed = [name.strip() for name in names.split(",")] if kind in SEVERAL else [names]
    listed = [name for name in listed if name or kind not in SEVERAL]
    for name in listed:
        if listed.count(name) > 1:
            raise UserError(f"--{kind}={shown(names)}: {name} is there twice; name it once.")
    return tuple(_found(kind, name, parts(kind)) for name in listed)


def _found(flag: str, name: str, members: Mapping[str, Any]) -> Any:
    check_choice(flag, name, Members(lambda: members))
    return members[name]


# What every search was before there were methods.
PAPERS = Method(name="darts", about="")
