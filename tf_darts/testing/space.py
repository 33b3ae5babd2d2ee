"""Whether a `Space` is one: every door that somebody asks of it."""

import dataclasses
import pathlib
import pickle
import tempfile
from collections.abc import Mapping
from typing import Any

import keras_tuner
import numpy as np

from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells import genotype_files
from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.cells.published import published_cells
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.space import IMAGES, Space, find_space, resolved, spaces
from tf_darts.cells.topology import CellTopology
from tf_darts.config.data_searches import ImageSearchConfig, TextSearchConfig
from tf_darts.config.layers import LAYERS, preset_for
from tf_darts.config.search import SearchConfig
from tf_darts.config.setting import check, fields
from tf_darts.config.training import ImageTrainingConfig, TextTrainingConfig, TrainingConfig
from tf_darts.data.facts import ImageFacts, TextFacts
from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.study.cell_choices import chosen_cells
from tf_darts.testing.comparison import expect, float64
from tf_darts.testing.objective import check_objective
from tf_darts.testing.supernet import check_supernet, check_topologies

_SEEDS = 3
# What is not a value: where a run lives, and what is given for each run.
_FREE = ("run_dir", "data_dir", "genotype", "space")


def check_space(
    space: Space | str,
    *,
    search: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    image_shape: tuple[int, int, int] = (8, 8, 3),
) -> None:
    """Tries a space as the commands use it, on made-up data.

    Checked are its settings, in all presets; its topologies; its genotypes, random, derived, chosen
    by a tuner and published, in JSON, files and pickles; their drawings; and, of small networks,
    its supernet (`check_supernet`), its objective (`check_objective`), their counts, and the costs
    of operations where it says some.

    Args:
      space: registered, or its name.
      search: settings of a search that make a small supernet.
      training: settings of a training that make a small network.
      image_shape: of made-up images, where it learns from such.

    Raises:
      AssertionError: one sentence that names the space and what failed.
    """
    if isinstance(space, str):
        space = find_space(space)
    name = f"the space {space.name!r}"
    expect(spaces().get(space.name) is space, f"{name} is not registered: see register_space.")
    _check_settings(space, name)
    check_topologies(space.topologies, name)
    for cell in _genotypes(space, name):
        _check_genotype(space, cell, name)
    _check_table(space, name)
    facts, batch = _data(space, image_shape)
    with float64():
        _check_supernet(space, search or {}, facts, batch, name)
        _check_objective(space, training or {}, facts, batch, name)


def _check_settings(space: Space, name: str) -> None:
    images = space.data == IMAGES
    kinds = {
        "search": ImageSearchConfig if images else TextSearchConfig,
        "training": ImageTrainingConfig if images else TextTrainingConfig,
    }
    for field, kind in kinds.items():
        settings = getattr(space, field)
        fits = isinstance(settings, kind) and dataclasses.is_dataclass(settings)
        found = type(settings).__name__
        expect(fits, f"{name}: its {field} is {found}, no {kind.__name__} of {space.data}.")
    for mode, dataset in LAYERS[space.data]:
        preset = preset_for(mode, dataset, space.name)
        for field in fields(preset).values():
            if field.name not in _FREE:
                check(field, getattr(preset, field.name))
    for mode, dataset in space.presets:
        expect(mode in ("search", "train"), f"{name}: presets has {(mode, dataset)}; no such mode.")


def _genotypes(space: Space, name: str) -> list[Genotype]:
    """Cells of every origin: random, derived, a tuner's, published."""
    made, topologies = genotype_class(space.name), space.topologies
    cells = [made.from_cells(random_cells(topologies, seed)) for seed in range(_SEEDS)]
    again = made.from_cells(random_cells(topologies, 0))
    expect(again == cells[0], f"{name}: the same seed gives {again} after {cells[0]}.")
    random = np.random.default_rng(0)
    tables = {kind: random.random((t.edges, t.columns)) for kind, t in topologies.items()}
    hyperparameters = keras_tuner.HyperParameters()
    return [
        *cells,
        made.from_cells(derive(tables, topologies)),
        made.from_cells(chosen_cells(hyperparameters, topologies)),
        *published_cells(space.name).values(),
    ]


def _check_genotype(space: Space, cell: Genotype, name: str) -> None:
    expect(cell.space == space.name, f"{name}: {cell} is of the space {cell.space!r}.")
    copies = {
        "to_dict and from_dict": type(cell).from_dict(cell.to_dict()),
        "a pickle": pickle.loads(pickle.dumps(cell)),
    }
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "genotype.json"
        genotype_files.save(file, cell)
        copies["a file"] = genotype_files.load(file)
    for way, copy in copies.items():
        same = copy == cell and str(copy) == str(cell) and hash(copy) == hash(cell)
        expect(same, f"{name}: {cell} is {copy} after {way}.")
    draw_genotype(cell, str(space.name))


def _check_table(space: Space, name: str) -> None:
    """The texts of tables of trained cells, where there are such."""
    form, texts = space.table, {}
    if form is None:
        return
    for cell in _genotypes(space, name):
        text = form.written(cell.to_dict())
        again = form.read(text)
        expect(again == text, f"{name}: its table reads {text} as {again}.")
        other = texts.setdefault(text, cell)
        expect(other == cell, f"{name}: its table writes {cell} and {other} as {text}.")
        expect(hash(form.alike(text)) is not None, f"{name}: its table's alike has no hash.")
    named = {*form.references, form.collapse} - {"", *published_cells(space.name)}
    expect(not named, f"{name}: its table names {', '.join(named)}, which are not published.")


def _data(space: Space, shape: tuple[int, int, int]) -> tuple[ImageFacts | TextFacts, Any]:
    """The facts of made-up data, and a batch of three examples."""
    random = np.random.default_rng(0)
    if space.data == IMAGES:
        images = random.standard_normal((3, *shape))
        return ImageFacts(shape, 3), (images, np.arange(3, dtype=np.int32))
    words = random.integers(0, 11, (4, 3))
    return TextFacts(11), (words, np.roll(words, 1, axis=0))


def _check_supernet(
    space: Space, settings: Mapping[str, Any], facts: Any, batch: Any, name: str
) -> None:
    config: SearchConfig = dataclasses.replace(space.search, space=space.name, **settings)
    cells = space.narrowed(config.operations)
    supernet = resolved(space.supernet)(config, facts, cells)
    expect(
        dict(supernet.cells) == cells,
        f"{name}: its supernet has the topologies {dict(supernet.cells)}, and was given {cells}.",
    )
    found = supernet.genotype_class.space
    expect(found == space.name, f"{name}: its supernet makes genotypes of {found!r}.")
    _check_score(space, supernet, f"{name}: its supernet")
    check_supernet(supernet, batch)


def _check_objective(
    space: Space, settings: Mapping[str, Any], facts: Any, batch: Any, name: str
) -> None:
    config: TrainingConfig = dataclasses.replace(space.training, space=space.name, **settings)
    config = dataclasses.replace(config, batch_size=len(np.transpose(batch[1])))
    # Without what may cut an edge off: here every weight must count.
    uncut = {kind: _without_cuts(topology) for kind, topology in space.topologies.items()}
    cell = genotype_class(space.name).from_cells(random_cells(uncut, 1))
    objective = resolved(space.objective)(config, cell, facts)
    _check_score(space, objective, f"{name}: its objective")
    if space.counts is not None:
        counts = resolved(space.counts)(config, cell, facts)
        expect(
            counts == objective.counts(),
            f"{name}: counts says {counts}, and the objective's own {objective.counts()}.",
        )
        if space.operation_costs is not None:
            _check_costs(space, config, uncut, facts, name)
    inference_ids = {id(variable) for variable in objective.inference_variables}
    training_only = [weight for weight in objective.weights if id(weight) not in inference_ids]
    check_objective(objective, batch, uncounted=training_only)
    bare = resolved(space.objective)(config.for_inference(), cell, facts)
    shapes = [
        [tuple(variable.shape) for variable in network.inference_variables]
        for network in (objective, bare)
    ]
    expect(
        shapes[0] == shapes[1],
        f"{name}: inference_variables of a trained network are {shapes[0]}, and of the exported"
        f" one {shapes[1]}.",
    )


def _without_cuts(topology: CellTopology) -> CellTopology:
    """A topology whose cells have no `none`, and no `noise` where all edges are alike."""
    names = topology.operations
    if not topology.by_edge:
        names = tuple(name for name in names if name != "noise")
    return dataclasses.replace(topology, none_competes=False, operations=names)


def _check_score(space: Space, door: Any, name: str) -> None:
    score = (door.score, door.score_mode)
    expect(score == space.judged_by, f"{name} has the score {score}, the space {space.judged_by}.")


def _check_costs(
    space: Space, config: Any, cells: Mapping[str, CellTopology], facts: Any, name: str
) -> None:
    """Whether cells cost what their networks are counted to have."""
    costs = resolved(space.operation_costs)(config, facts, cells)
    for seed in range(5):
        edges = random_cells(cells, seed)
        cell = genotype_class(space.name).from_cells(edges)
        counts = resolved(space.counts)(config, cell, facts)
        counted = [value for what, value in counts.items() if what.startswith("multiply-adds")]
        found = costs.of(edges, cells)
        expect(
            counted == [found],
            f"{name}: by operation_costs a cell costs {found} multiply-adds, and by counts"
            f" {counted}.",
        )
