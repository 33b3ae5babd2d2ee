"""Finished trainings without any training: small networks with random weights."""

import contextlib
import hashlib

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.cells import genotype_files
from tf_darts.cells.published import PUBLISHED
from tf_darts.config import presets as config
from tf_darts.data.asset_files import listed
from tf_darts.optimization.averaging import WeightAverage
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.convolutional.make import image_objective
from tf_darts.spaces.recurrent.make import language_objective
from tf_darts.training.evaluator import weights_of
from tf_darts.training.finished import FinishedTraining

WORDS = ("the", "cat", "<eos>", "sat", "<unk>", "on", "mat")
LABELS = ("plane", "car", "bird")
SHAPE = (32, 32, 3)
DATA = {
    "pydoc": {"vocabulary": len(WORDS)},
    "cifar10": {
        "image_shape": list(SHAPE),
        "classes": len(LABELS),
        "mean": [120.0, 110.0, 100.0],
        "std": [60.0, 61.0, 62.0],
    },
}
SMALL = {
    "pydoc": {"units": 6},
    "cifar10": {"channels": 2, "layers": 3},
}


def _finished(path, dataset, averaged=False, known=True, **settings):
    """A run directory with a network of random weights; returns that network.

    `known`: whether the run says what its data are, or what it says beside `DATA`.
    """
    given = {"mode": "train", "dataset": dataset, "genotype": "darts_v2", "run_dir": str(path)}
    made = config.configure(given | SMALL[dataset] | settings)
    cell = PUBLISHED[made.space]["darts_v2"]
    set_precision(made.precision)
    if dataset == "pydoc":
        network, names = language_objective(made, cell, len(WORDS)), ("vocabulary.txt", WORDS)
    else:
        network, names = image_objective(made, cell, SHAPE, len(LABELS)), ("labels.txt", LABELS)
    set_precision("float32")
    # Larger than at a training's start, so that answers are far apart.
    random = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(random.normal(0, 0.4, weight.shape))
    variables = weights_of(network)
    if averaged:
        average = WeightAverage(network.weights)
        average.count.assign(3)
        for value in average.values:
            value.assign(random.normal(0, 0.4, value.shape))
        variables["average"] = average.variables
    settings = config.computed_settings(made) | {"cell": cell.to_dict()}
    with contextlib.closing(RunDirectory(path, settings)) as run:
        genotype_files.save(run.path / "genotype.json", cell, {})
        checkpoint = tf.train.Checkpoint(**variables)
        folder = str(run.path / "checkpoints" / "best")
        tf.train.CheckpointManager(checkpoint, folder, max_to_keep=1).save()
        run.write_json("result.json", {"checkpoint": "checkpoints/best", "epoch": 3})
        if known:
            content = listed(names[1])
            files = {names[0]: hashlib.sha256(content.encode()).hexdigest()}
            more = known if isinstance(known, dict) else {}
            run.write_json("data.json", DATA[dataset] | {"files": files} | more)
            (run.path / names[0]).write_text(content, encoding="utf-8")
    if averaged:
        for weight, value in zip(network.weights, average.values, strict=True):
            weight.assign(value)
    return network


@contextlib.contextmanager
def _opened(path):
    training = FinishedTraining.open(str(path))
    try:
        yield training
    finally:
        training.run.close()


@pytest.fixture(scope="session")
def finished():
    """A function that makes a finished training, see `_finished`."""
    return _finished


@pytest.fixture(scope="session")
def opened():
    """A context manager that opens a finished training."""
    return _opened
