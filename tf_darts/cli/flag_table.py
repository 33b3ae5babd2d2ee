"""What each flag says, by group: the one table of help, completion and printed configurations.

It is made of the settings' own metadata (`config/setting.py`), so what a file of `--load` registers
is in it too. Nothing here imports TensorFlow.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tf_darts.cells.space import IMAGES, TEXTS, Space, find_space, spaces
from tf_darts.config import methods, presets
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.presets import Config
from tf_darts.config.run import RunConfig
from tf_darts.config.search import SearchConfig
from tf_darts.config.setting import GROUPS, fields

# What `--mode` may be, in the order in which a user comes to them.
MODES: Mapping[str, str] = {
    "search": "looks for a cell",
    "train": "trains a network of a cell from random weights",
    "test": "takes the test score of a finished training, once",
    "export": "writes the network of a finished training for other programs",
    "select": "trains several cells for a short time and ranks them",
    "black_box": "lets a tuner choose the cells, without gradients",
    "tune": "tunes settings of a training, or of a search",
    "report": "writes one document about several runs",
}
# The data set whose values are shown where none is named, by kind.
SHOWN_DATA = {IMAGES: "cifar10", TEXTS: "ptb"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """One of the values of a flag.

    Attributes:
      name: the value.
      about: what it means; "" where the name says it.
      flags: the settings of the member of that name.
    """

    name: str
    about: str = ""
    flags: tuple["Flag", ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flag:
    """A setting on the command line.

    Attributes:
      name: of the setting.
      field: its type and metadata.
      value: what a run takes where the flag is not given.
      of: whose value that is, as flags, where it is not what the whole table is of.
      choices: its values, where they can be listed.
    """

    name: str
    field: dataclasses.Field
    value: Any
    of: str = ""
    choices: tuple[Choice, ...] = ()

    @property
    def all(self) -> Iterator["Flag"]:
        """The flag, and then the settings of its choices."""
        yield self
        for choice in self.choices:
            yield from choice.flags


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Flags under a title."""

    title: str
    flags: tuple[Flag, ...]


def groups_of(config: Config) -> list[Group]:
    """The flags that a configuration's mode, data set, space and method have."""
    own = _space_settings(find_space(config.space)) if isinstance(config, RunConfig) else {}
    return list(_groups([("", config)], {getattr(config, "space", ""): own}))


def all_groups() -> list[Group]:
    """The flags of all modes and spaces, each with the value of the first mode that has it."""
    kinds = list(SHOWN_DATA.items())
    shown = [
        (f"--mode={mode} --dataset={dataset}", presets.preset_for(mode, dataset))
        for mode in ("search", "train")
        for _, dataset in kinds
    ]
    shown += [(f"--mode={mode}", presets.COMMON[mode]) for mode in MODES if mode in presets.COMMON]
    shown[0] = ("", shown[0][1])
    return list(_groups(shown, {name: _space_settings(s) for name, s in spaces().items()}, True))


def _groups(
    shown: list[tuple[str, Config]], own: Mapping[str, Mapping[str, Any]], every: bool = False
) -> Iterator[Group]:
    """The groups of `GROUPS`, in their order, of which the spaces' may be several.

    Args:
      shown: configurations, each with the flags that say whose values it has.
      own: the settings of each space that only its networks have, with their values.
      every: whether the settings of all parts of methods are there, not only of those chosen.
    """
    for group, title in GROUPS.items():
        seen: dict[str, Flag] = {}
        for of, config in shown:
            for name, field in _allowed(config).items():
                if field.metadata.get("group") == group and name not in seen:
                    value = getattr(config, name)
                    choices = tuple(_choices(name, config, every))
                    seen[name] = Flag(name=name, field=field, value=value, of=of, choices=choices)
        order = [of for of, _ in shown]
        flags = tuple(sorted(seen.values(), key=lambda flag: order.index(flag.of)))
        if group != "space":
            if flags:
                yield Group(title=title, flags=flags)
            continue
        for space, settings in own.items():
            config = shown[0][1]
            mine = tuple(
                Flag(
                    name=name,
                    field=field,
                    value=value if every else getattr(config, name),
                    of=of if every else "",
                    choices=tuple(Choice(name=c) for c in field.metadata.get("choices") or ()),
                )
                for name, (field, value, of) in settings.items()
                if every or name in fields(config)
            )
            mine = tuple(sorted(mine, key=lambda flag: flag.of))
            if mine or flags:
                title = f"The space {space} and its networks" if space else title
                yield Group(title=title, flags=flags + mine)
            flags = ()


def _allowed(config: Config) -> dict[str, dataclasses.Field]:
    """The settings that may be given; those of its parts stand elsewhere."""
    unused = config.unused if isinstance(config, SearchConfig) else {}
    return {name: field for name, field in fields(config).items() if name not in unused}


def _space_settings(space: Space) -> dict[str, tuple[dataclasses.Field, Any, str]]:
    """The settings that a space's networks have of their own: each with a value, and whose it is.

    It is that of searches, unless trainings alone have the setting.
    """
    return {
        name: (field, getattr(preset, name), f"--mode={mode} --space={space.name}")
        for mode, preset in (("train", space.training), ("search", space.search))
        for name, field in fields(preset).items()
        if not field.metadata.get("group")
    }


def _choices(name: str, config: Config, every: bool) -> Iterator[Choice]:
    """The values that a flag may have, with what they mean."""
    if name == "mode":
        yield from (Choice(name=mode, about=MODES.get(mode, "")) for mode in _in_order())
    elif name == "dataset":
        known = dict.fromkeys(dataset for _, dataset in presets.PRESETS)
        yield from (Choice(name=dataset) for dataset in known)
    elif name == "space":
        for space in spaces().values():
            yield Choice(name=space.name, about=f"is for {space.data}")
    elif name in methods.KINDS and isinstance(config, SearchConfig):
        chosen = {part.name for part in methods.find_parts(name, getattr(config, name))}
        seen: set[str] = set()
        for part in methods.parts(name).values():
            wanted = every or part.name in chosen or part in methods.monitors()
            own = {n: f for n, f in fields(part).items() if wanted and n not in seen}
            seen |= own.keys()
            flags = tuple(
                Flag(name=n, field=f, value=getattr(config, n, f.default)) for n, f in own.items()
            )
            yield Choice(name=part.name, about=part.about, flags=flags)
    elif name in ("method", "hypergradient"):
        registry = methods.methods() if name == "method" else HYPERGRADIENTS
        yield from (Choice(name=n, about=member.about) for n, member in registry.items())
    else:
        allowed: Collection[str] = fields(config)[name].metadata.get("choices") or ()
        yield from (Choice(name=value) for value in allowed)


def _in_order() -> list[str]:
    """The modes: ours in the order of `MODES`, and whatever else there is."""
    there = presets.modes()
    return [mode for mode in MODES if mode in there] + [mode for mode in there if mode not in MODES]


def names_by_mode() -> dict[str, frozenset[str]]:
    """The settings that each mode has, in some space and with some method."""
    return {mode: frozenset(_names_of(mode)) for mode in _in_order()}


def _names_of(mode: str) -> Iterator[str]:
    if mode in presets.COMMON:
        yield from fields(presets.COMMON[mode])
        return
    for space in spaces().values():
        yield from fields(space.search if mode == "search" else space.training)
    if mode == "search":
        yield from methods.part_settings()
