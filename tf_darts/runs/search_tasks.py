"""What a configuration searches in and learns from: where spaces and data meet."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import tf_darts.accelerate  # noqa: F401, the fast forms of all that is made here
from tf_darts.bilevel.engine import SearchData
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.space import IMAGES, TEXTS, find_space, resolved
from tf_darts.cells.topology import CellTopology
from tf_darts.config.layers import preset_for
from tf_darts.config.methods import KINDS
from tf_darts.config.search import SearchConfig
from tf_darts.runs import image_data, text_data
from tf_darts.runtime.garbage import without_collection
from tf_darts.spaces.supernet import Supernet

_PARTS = {IMAGES: image_data.search_part, TEXTS: text_data.search_part}


class SearchTask(NamedTuple):
    """A search without its engine.

    Attributes:
      supernet: what is searched.
      data: what it learns from.
      baseline: name and validation score of something trivial to compare with.
      counts: of a cell, how large the network is that `--mode=train` makes of it by default, on
        the same data; see `TrainingObjective.counts`.
    """

    supernet: Supernet
    data: SearchData
    baseline: tuple[str, float]
    counts: Callable[[Genotype], dict[str, int]]


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
    trained = preset_for("train", config.dataset, space.name)
    if space.operation_costs is not None:
        costs = resolved(space.operation_costs)
        supernet.costs = functools.cache(lambda: costs(trained, part.facts, cells))
    facts = SearchFacts.of(supernet, config)
    for kind in KINDS:  # what a part refuses, it does before there is a run directory
        for member in config.make_parts(kind):
            member.of(facts)

    def counts(cell: Genotype) -> dict[str, int]:
        if space.counts is None:
            return resolved(space.objective)(trained, cell, part.facts).counts()
        return resolved(space.counts)(trained, cell, part.facts)

    return SearchTask(supernet, part.data, part.baseline, counts)
