"""From a search to the report on a training of its cell: the cell says where it is from."""

import json
import random

import pytest
import tensorflow as tf

import tf_darts
from tf_darts.cells import genotype_files
from tf_darts.report.read_runs import read_entries
from tf_darts.runs import search

SIZES = {
    "dataset": "text",
    "accelerate": "off",  # where nothing is compiled, the clear forms are the fast ones
    "units": 3,
    "batch_size": 4,
    "evaluation_batch_size": 24,
    "steps_per_epoch": 2,
    "epochs": 1,
    "input_dropout": 0.0,
    "cell_input_dropout": 0.0,
    "hidden_dropout": 0.0,
    "output_dropout": 0.0,
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The texts' directory and a search in them."""
    directory = tmp_path_factory.mktemp("provenance")
    draw = random.Random(0)
    for name, lines in (("train", 40), ("valid", 12), ("test", 12)):
        text = [" ".join(draw.choices("abcdefghij", k=9)) + "\n" for _ in range(lines)]
        (directory / f"{name}.txt").write_text("".join(text))
    settings = SIZES | {
        "bptt": 4,
        "hypergradient": "first_order",
        "weight_learning_rate": 0.5,
        "seed": 3,
        "operations": "tanh,identity",
        "gap_epochs": 0,
    }
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "search_memory", lambda *arguments: None)
        run = tf_darts.search(run_dir=directory / "search", data_dir=directory, **settings)
    tf.config.run_functions_eagerly(False)
    return directory, run


def training(directory, name, cell):
    run = tf_darts.train(
        cell, run_dir=directory / name, data_dir=directory, learning_rate=0.5, bptt=6, **SIZES
    )
    return run.path


def test_a_search_says_how_it_found_its_cell(found):
    _, run = found
    provenance = run.cell.provenance
    assert genotype_files.load(run.path / "genotype.json").provenance == provenance
    assert (provenance["mode"], provenance["method"]) == ("search", "darts_first")
    assert provenance["hypergradient"] == "first_order"
    assert (provenance["dataset"], provenance["seed"], provenance["step"]) == ("text", 3, 2)
    config = json.loads((run.path / "config.json").read_text())
    assert (config["kind"], config["space"]) == ("search", "recurrent")
    assert provenance["settings"] == config["settings"]
    assert provenance["search_seconds"] == run.history[-1]["seconds"] > 0
    score = run.history[-1]["validation_perplexity"]
    assert provenance["supernet"] == {"epoch": 1, "validation_perplexity": score}


@pytest.mark.slow
def test_a_training_keeps_it_and_its_report_needs_no_search(eagerly, uncounted, undrawn, found):
    directory, run = found
    by_cell = training(directory, "by_cell", run.cell)
    by_file = training(directory, "by_file", run.path / "genotype.json")
    for path in (by_cell, by_file):
        kept = genotype_files.load(path / "genotype.json").provenance
        assert kept.items() >= run.cell.provenance.items()
    assert kept["given"] == str(run.path / "genotype.json")
    config = json.loads((by_cell / "config.json").read_text())
    assert (config["kind"], config["space"]) == ("training", "recurrent")
    (before,) = read_entries([str(by_file)])
    assert before.animation == run.path / "plots" / "cell.gif"
    run.path.rename(directory / "moved")
    try:
        entries = read_entries([str(by_cell), str(by_file)])
    finally:
        (directory / "moved").rename(run.path)
    for entry in entries:
        assert (entry.method, entry.animation) == ("darts_first", None)
        assert entry.settings["search.weight_learning_rate"] == 0.5
        assert entry.search_seconds == run.history[-1]["seconds"]
        assert entry.settings == before.settings
