"""The weights of the official PyTorch release as a finished training."""

import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts import genotype
from tf_darts.config import computed_settings, configure
from tf_darts.configuration.training import ConvolutionalTrainingConfig, TrainingConfig
from tf_darts.errors import UserError
from tf_darts.export.official_weights import (
    OfficialWeight,
    assign_official,
    image_network_official_names,
    language_model_official_names,
)
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.network import Network
from tf_darts.training.evaluator import weights_of
from tf_darts.training_tasks import find_cell, image_network, language_network

State = Mapping[str, np.ndarray]


def import_official(state: State, source: str, overrides: Mapping[str, Any]) -> RunDirectory:
    """Writes a run directory that `--mode=test` takes as a finished training.

    Args:
      state: an official state dict, its values as arrays.
      source: where it comes from, kept in `result.json`.
      overrides: settings of `--mode=train`: data set, genotype, run directory. What the weights
        say (channels, cells, units, auxiliary head) need not be among them.

    Raises:
      UserError: the weights are not of this cell or data set, or the directory is not free.
    """
    config = configure({"mode": "train", **_sizes(state), **overrides})
    cell = find_cell(config)
    network, names = _network(config, cell, state)
    unknown = sorted(set(state) - set(names) - {"decoder.weight"} - _counters(state))
    if unknown:
        raise UserError(
            f"{source} has {unknown[0]!r}, which a network of --genotype={config.genotype} has not;"
            " it is of another cell."
        )
    assign_official(names, state)
    if (pathlib.Path(config.run_dir) / "config.json").exists():
        raise UserError(f"--run_dir={config.run_dir}: there is a run already; give another one.")
    run = RunDirectory(config.run_dir, computed_settings(config) | {"cell": cell.to_dict()})
    genotype.save(run.path / "genotype.json", cell, {"mode": "import", "from": source})
    folder = "checkpoints/imported"
    checkpoint = tf.train.Checkpoint(**weights_of(network))
    tf.train.CheckpointManager(checkpoint, str(run.path / folder), max_to_keep=1).save()
    run.write_json("counts.json", network.counts())
    run.write_json("result.json", {"checkpoint": folder, "imported_from": source})
    return run


def _sizes(state: State) -> dict[str, Any]:
    """The settings that the shapes of an official state dict tell."""
    if "encoder.weight" in state:
        return {"units": state["encoder.weight"].shape[1]}
    # The first cell's nodes have a third of the stem's channels, or as many (ImageNet).
    cells = {int(found[1]) for name in state if (found := re.match(r"cells\.(\d+)\.", name))}
    stem = state.get("stem.0.weight", state.get("stem1.1.weight"))
    if stem is None or not cells:
        raise UserError(
            "the state dict is neither a language model's (encoder.weight) nor an image network's"
            " (stem, cells) of the official release."
        )
    sizes = {
        "channels": len(stem) // (3 if "stem.0.weight" in state else 1),
        "layers": max(cells) + 1,
        "final": True,  # the release learnt from all training images
    }
    head = any(name.startswith("auxiliary_head.") for name in state)
    return sizes | ({} if head else {"auxiliary_weight": 0.0})


def _counters(state: State) -> set[str]:
    """PyTorch counts the batches that a batch norm has seen; nothing depends on it."""
    return {name for name in state if name.endswith(".num_batches_tracked")}


def _network(
    config: TrainingConfig, cell: genotype.Genotype, state: State
) -> tuple[Network, dict[str, OfficialWeight]]:
    if isinstance(config, ConvolutionalTrainingConfig):
        if "classifier.bias" not in state:
            raise UserError(
                f"--dataset={config.dataset} needs the weights of an image network, these are of a"
                " language model."
            )
        size = config.image_size or 32
        network = image_network(config, cell, (size, size, 3), len(state["classifier.bias"]))
        return network, image_network_official_names(network.model)
    if "encoder.weight" not in state:
        raise UserError(
            f"--dataset={config.dataset} needs the weights of a language model, these are of an"
            " image network."
        )
    network = language_network(config, cell, len(state["encoder.weight"]))
    return network, language_model_official_names(network.model)
