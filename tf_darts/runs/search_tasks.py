"""What a configuration searches in and learns from: where spaces and data meet."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import tf_darts.accelerate  # noqa: F401, the fast forms of all that is made here
from tf_darts.bilevel.engine import SearchData
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.mixing_check import check_mixing, check_option
from tf_darts.bilevel.search_rules import SearchRules
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.space import IMAGES, TEXTS, find_space, resolved
from tf_darts.cells.topology import CellTopology
from tf_darts.config.layers import preset_for
from tf_darts.config.methods import KINDS
from tf_darts.config.search import SearchConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.runs import image_data, text_data
from tf_darts.runtime.garbage import without_collection
from tf_darts.spaces.supernet import Supernet

_PARTS = {IMAGES: image_data.search_part, TEXTS: text_data.search_part}
_SMALLEST = {"auxiliary_weight": 0.0}  # of the settings of networks
_Made = TypeVar("_Made")


class Network(NamedTuple):
    """What `--mode=train` makes of a cell on the data of its search.

    Attributes:
      counts: how large it is; see `TrainingObjective.counts`.
      settings: what must be given beside the defaults, which are too large for the data.
    """

    counts: dict[str, int]
    settings: dict[str, Any]


class SearchTask(NamedTuple):
    """A search without its engine.

    Attributes:
      supernet: what is searched.
      data: what it learns from.
      baseline: name and validation score of something trivial to compare with.
      trained: of a cell, the network that `--mode=train` makes of it.
    """

    supernet: Supernet
    data: SearchData
    baseline: tuple[str, float]
    trained: Callable[[Genotype], Network]


def search_task(
    config: SearchConfig, cells: Mapping[str, CellTopology] | None = None
) -> SearchTask:
    """The task of a configuration; raises `UserError` where a part of its method refuses it.

    Args:
      config: of the search.
      cells: the topology of each kind of cell; None: as the configuration has them.
    """
    space = find_space(config.space)
    cells = config.cells if cells is None else cells
    part = _PARTS[space.data](config)
    with without_collection():
        supernet = resolved(space.supernet)(config, part.facts, cells)
    training = preset_for("train", config.dataset, space.name)
    if space.operation_costs is not None:
        costs = resolved(space.operation_costs)
        supernet.costs = functools.cache(lambda: costs(training, part.facts, cells))
    facts = SearchFacts.of(supernet, config)
    # What a part refuses, and what it does wrong, is said before there is a run directory.
    members = {kind: [part.of(facts) for part in config.make_parts(kind)] for kind in KINDS}
    numbers = SearchRules(config, facts).directions([]).numbers
    check_mixing(members["relaxation"][0], cells, config.seed, numbers)
    for option in members["edge_options"]:
        check_option(option, cells, config.epochs, config.seed, numbers)

    def counts(cell: Genotype, training: TrainingConfig) -> dict[str, int]:
        if space.counts is None:
            return resolved(space.objective)(training, cell, part.facts).counts()
        return resolved(space.counts)(training, cell, part.facts)

    def trained(cell: Genotype) -> Network:
        settings: dict[str, Any] = {}
        with contextlib.suppress(UserError):  # where nothing helps, the training will say it
            settings, _ = fitted(part.check_training, training, part.small)
        fitting = dataclasses.replace(training, **settings)
        more, size = fitted(functools.partial(counts, cell), fitting, _SMALLEST)
        return Network(size, settings | more)

    return SearchTask(supernet, part.data, part.baseline, trained)


def fitted(
    make: Callable[[TrainingConfig], _Made], training: TrainingConfig, small: Mapping[str, Any]
) -> tuple[dict[str, Any], _Made]:
    """What `make` gives of a training, with as many of the small settings as its refusals name.

    Args:
      make: raises `UserError` where a setting is too large, and names it as a flag.
      training: with its defaults.
      small: of settings that are named together the first one is changed first.

    Returns:
      The settings that were changed, and what was made with them.
    """
    changed: dict[str, Any] = {}
    while True:
        try:
            return changed, make(dataclasses.replace(training, **changed))
        except UserError as error:
            left = [name for name in small if name not in changed and hasattr(training, name)]
            named = next((name for name in left if f"--{name}" in str(error)), None)
            if named is None:
                raise
            changed[named] = small[named]
