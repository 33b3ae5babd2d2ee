"""The weights of the official PyTorch release as a finished training."""

import contextlib
import pathlib
import re
import shutil
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_darts.cells import genotype, genotype_files
from tf_darts.config.given_cell import find_cell
from tf_darts.config.presets import computed_settings, configure
from tf_darts.config.recorded import about
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import StorageError, UserError
from tf_darts.formats.official_file import State, counters
from tf_darts.formats.official_weights import (
    OfficialWeight,
    assign_official,
    image_network_official_names,
    language_model_official_names,
)
from tf_darts.formats.versions import storing
from tf_darts.runtime.files import exists
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.convolutional.make import image_objective
from tf_darts.spaces.convolutional.settings import ConvolutionalTrainingConfig
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.spaces.recurrent.make import language_objective
from tf_darts.spaces.recurrent.settings import RecurrentTrainingConfig
from tf_darts.training.evaluator import weights_of


def import_official(state: State, source: str, overrides: Mapping[str, Any]) -> RunDirectory:
    """Writes a run directory that `--mode=test` takes as a finished training.

    Args:
      state: an official state dict, its values as arrays.
      source: where it comes from, its file's name: kept in `result.json`.
      overrides: settings of `--mode=train`: data set, genotype, run directory. What the weights
        say (channels, cells, units, auxiliary head) need not be among them.

    Raises:
      StorageError: the directory cannot be written; then nothing of the import is left there.
      UserError: the weights are not of this cell or data set, or the directory is not free.
    """
    config = configure({"mode": "train", **_sizes(state, source), **overrides})
    cell = find_cell(config)
    network, names = _network(config, cell, state, source)
    unknown = sorted(set(state) - set(names) - {"decoder.weight"} - counters(state))
    if unknown:
        raise UserError(
            f"{source} has {unknown[0]!r}, which a network of --genotype={config.genotype} has not;"
            " give the --genotype that it was trained with."
        )
    assign_official(names, state, source)
    path = pathlib.Path(config.run_dir).expanduser()
    if exists(path / "config.json"):
        raise UserError(f"--run_dir={path}: there is a run already; give another one.")
    created = not exists(path)
    settings = computed_settings(config) | {"cell": cell.to_dict()}
    run = RunDirectory(path, settings, about=about(config.mode, config.space))
    try:
        with storing(run.path):
            _write(run, network, cell, source)
    except StorageError:
        run.close()
        _clear(run.path, created)
        raise
    return run


def _write(
    run: RunDirectory, network: TrainingObjective, cell: genotype.Genotype, source: str
) -> None:
    genotype_files.save(run.path / "genotype.json", cell, {"mode": "import", "from": source})
    folder = "checkpoints/imported"
    checkpoint = tf.train.Checkpoint(**weights_of(network))
    tf.train.CheckpointManager(checkpoint, str(run.path / folder), max_to_keep=1).save()
    run.write_json("counts.json", network.counts())
    # The last, since it makes a finished training of it.
    run.write_json("result.json", {"checkpoint": folder, "imported_from": source})


def _clear(run: pathlib.Path, created: bool) -> None:
    """Removes what an import has written into a directory, and the directory if it made it."""
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    with contextlib.suppress(OSError):
        for name in ("config.json", "genotype.json", "counts.json", "result.json", ".lock"):
            (run / name).unlink(missing_ok=True)
        if created:
            run.rmdir()


def _sizes(state: State, source: str) -> dict[str, Any]:
    """The settings that the shapes of an official state dict tell."""
    if "encoder.weight" in state:
        return {"units": _shape(state, "encoder.weight", 2, source)[1]}
    # The first cell's nodes have a third of the stem's channels, or as many (ImageNet).
    cells = {int(match[1]) for name in state if (match := re.match(r"cells\.([0-9]+)\.", name))}
    stem = next((name for name in ("stem.0.weight", "stem1.1.weight") if name in state), None)
    if stem is None or not cells:
        raise UserError(
            f"{source} is neither a language model's (encoder.weight) nor an image network's (stem,"
            " cells) of the official release; give the state dict of one of those."
        )
    missing = min(set(range(len(cells) + 1)) - cells)
    if missing < len(cells):
        raise UserError(f"{source} has no 'cells.{missing}.' among its cells; it is not whole.")
    sizes = {
        "channels": _shape(state, stem, 4, source)[0] // (3 if stem == "stem.0.weight" else 1),
        "layers": len(cells),
        "train_on_all": True,  # the release learnt from all training images
    }
    head = any(name.startswith("auxiliary_head.") for name in state)
    return sizes | ({} if head else {"auxiliary_weight": 0.0})


def _shape(state: State, name: str, rank: int, source: str) -> tuple[int, ...]:
    """The shape of a tensor that must have so many axes, none of them empty."""
    if name not in state:
        raise UserError(f"{source} has no {name!r}; it is not whole.")
    shape = state[name].shape
    if len(shape) != rank or 0 in shape:
        raise UserError(f"{source}: {name!r} has shape {shape}, which no network has.")
    return shape


def _network(
    config: TrainingConfig, cell: genotype.Genotype, state: State, source: str
) -> tuple[TrainingObjective, dict[str, OfficialWeight]]:
    if isinstance(config, ConvolutionalTrainingConfig):
        if "encoder.weight" in state:
            raise UserError(
                f"--dataset={config.dataset} needs the weights of an image network, these are of a"
                " language model."
            )
        size = config.image_size or 32
        network = image_objective(
            config, cell, (size, size, 3), _shape(state, "classifier.bias", 1, source)[0]
        )
        return network, image_network_official_names(network.model)
    if not isinstance(config, RecurrentTrainingConfig):
        raise UserError(
            f"--space={config.space}: the official release has no weights of this space; leave"
            " --space out."
        )
    if "encoder.weight" not in state:
        raise UserError(
            f"--dataset={config.dataset} needs the weights of a language model, these are of an"
            " image network."
        )
    network = language_objective(config, cell, _shape(state, "encoder.weight", 2, source)[0])
    return network, language_model_official_names(network.model)
