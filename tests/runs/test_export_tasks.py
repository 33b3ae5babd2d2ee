"""Which weights an export takes, and what it does where a run knows little of its data."""

import json
import shlex
import sys
import time
import types

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.texts import registry
from tf_darts.errors import UserError
from tf_darts.runs import export_tasks
from tf_darts.runs.export_tasks import export_task
from tf_darts.runtime import busy
from tf_darts.runtime.precision import set_precision


@pytest.fixture(autouse=True)
def single_precision():
    yield
    set_precision("float32")


def language_perplexity(network, tokens):
    before = np.concatenate([[2], tokens[:-1]]).astype(np.int32)
    batch = before[:, None], np.int32(tokens)[:, None]
    totals = network.evaluation_sums(batch, network.initial_state(1)).totals
    return np.exp(float(totals["loss"]) / 4)


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_language_weights(tmp_path, finished, opened, averaged, precision):
    network = finished(tmp_path / "run", "pydoc", averaged, precision=precision)
    with opened(tmp_path / "run") as training:
        task = export_task(training)
    tokens = [0, 1, 3, 2]
    for serving in (task.served, task.live):
        answer = serving.score(tf.constant([tokens]), tf.constant([4]))
        expected = language_perplexity(network, tokens)
        np.testing.assert_allclose(answer["perplexity"], [expected], rtol=1e-5)
    assert task.card["weights"].startswith("averaged" if averaged else "not averaged")
    variables = task.served.variables
    assert variables and all(variable.dtype == tf.float32 for variable in variables)


def test_image_weights(tmp_path, finished, opened):
    network = finished(tmp_path / "run", "cifar10")
    assert network.model.auxiliary
    with opened(tmp_path / "run") as training:
        task = export_task(training)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    normalised = (images - np.float32([120, 110, 100])) / np.float32([60, 61, 62])
    expected = tf.nn.softmax(network.model(normalised))
    for serving in (task.served, task.live):
        answer = serving.answer_pixels(tf.constant(images))
        np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-4, atol=1e-6)
    # No auxiliary head: not its weights either.
    head = network.model.auxiliary_head.variables
    everything = [*network.weights, *network.statistics]
    assert head and len(task.served.variables) == len(everything) - len(head)
    assert task.card["counts"]["weights"] > 0
    json.dumps(task.card)
    assert task.card["hub"]["pipeline_tag"] == "image-classification"
    assert task.card["environment"]["training command"] == "not recorded"
    assert shlex.split(task.card["environment"]["export command"]) == sys.orig_argv
    assert task.card["license"] == "unknown" and task.card["intended use"] and task.card["limits"]


def test_a_run_that_does_not_know_its_words(tmp_path, finished, opened, monkeypatch, capsys):
    finished(tmp_path / "run", "pydoc", known=False)
    words = " ".join(("the", "cat"))
    for name, line in (("train", f"{words}\nsat <unk> on mat"), ("valid", words)):
        (tmp_path / f"{name}.txt").write_text(f"{line}\n" * 200)
    monkeypatch.setitem(registry.TEXT_DATASETS, "pydoc", registry.TEXT_DATASETS["text"])
    with opened(tmp_path / "run") as training:
        task = export_task(training, str(tmp_path))
        assert "reading pydoc once" in capsys.readouterr().out
        assert (tmp_path / "run" / "vocabulary.txt").read_text().split() == [
            *("the", "cat", "<eos>", "sat", "<unk>", "on", "mat")
        ]
        assert task.card["data"]["vocabulary"] == 7
        # Now it knows.
        export_task(training)
        assert "reading" not in capsys.readouterr().out


def test_a_run_that_does_not_know_its_images(tmp_path, finished, opened, monkeypatch):
    finished(tmp_path / "run", "cifar10", known=False, train_on_all=True)
    pixels = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3)).astype(np.uint8)
    images = ImageSet("cifar10", pixels, np.zeros(100, np.int32), ("plane", "car", "bird"))
    monkeypatch.setattr("tf_darts.runs.image_data.images.load", lambda *a, **k: images)
    with opened(tmp_path / "run") as training:
        about = export_task(training).card["client"]
    np.testing.assert_allclose(about["pixel_mean"], pixels.mean(axis=(0, 1, 2)), rtol=1e-6)
    assert (tmp_path / "run" / "labels.txt").read_text() == "plane\ncar\nbird\n"


def test_data_that_are_not_to_be_had(tmp_path, finished, opened):
    finished(tmp_path / "run", "pydoc", known=False)
    with (
        opened(tmp_path / "run") as training,
        pytest.raises(UserError, match="takes no --data_dir"),
    ):
        export_task(training, str(tmp_path))


def test_a_vocabulary_of_another_size(tmp_path, finished, opened):
    finished(tmp_path / "run", "pydoc")
    (tmp_path / "run" / "vocabulary.txt").write_text("the\n<eos>\n")
    with (
        opened(tmp_path / "run") as training,
        pytest.raises(UserError, match="is not the file that the training wrote"),
    ):
        export_task(training)


def test_representative_images_are_pixels(tmp_path, finished, opened, monkeypatch):
    finished(tmp_path / "run", "cifar10", known=False, train_on_all=True, cutout=0, flip=False)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3)).astype(np.uint8)
    images = ImageSet("cifar10", pixels, np.zeros(300, np.int32), ("plane", "car", "bird"))
    monkeypatch.setattr("tf_darts.runs.image_data.images.load", lambda *a, **k: images)
    with opened(tmp_path / "run") as training:
        found = export_task(training).representative()
    assert found.shape == (200, 32, 32, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found, np.round(found), atol=1e-3)
    assert found.min() > -1e-3 and found.max() < 255.001


@pytest.mark.parametrize("format", ["litert", "onnx"])
def test_a_conversion_says_that_it_goes_on(monkeypatch, capsys, format):
    def convert(*arguments):
        time.sleep(0.2)
        return {}

    monkeypatch.setattr(busy, "PATIENCE", 0.05)
    monkeypatch.setattr(export_tasks, f"write_{format}", convert)
    task = types.SimpleNamespace(served=None, card={}, names=None, representative=None)
    export_tasks.FORMATS[format](task, None)
    assert capsys.readouterr().out.startswith("Converting it to ")
