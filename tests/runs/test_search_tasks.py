import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_darts import CifarNetwork, multiply_adds, weight_count
from tf_darts.cells.published import PUBLISHED
from tf_darts.config import presets as config
from tf_darts.data.facts import ImageFacts
from tf_darts.errors import UserError
from tf_darts.runs import image_data
from tf_darts.runs.search_tasks import fitted, search_task
from tf_darts.runs.training_tasks import training_task
from tf_darts.runtime.precision import set_precision
from tf_darts.spaces.convolutional.make import counts


def task_of(dataset, **settings):
    return search_task(dataclasses.replace(config.PRESETS["search", dataset], **settings))


def test_a_recurrent_cell_is_counted_at_the_size_that_is_trained():
    task = task_of("pydoc", units=8, batch_size=4, bptt=6)
    cell, words = PUBLISHED["recurrent"]["darts_v2"], task.supernet.model.words
    assert task.trained(cell).counts == {
        "weights": 20 * 850**2 + 850 * words + words,
        "multiply-adds a word": 20 * 850**2 + 850 * words,
    }


def train_config(dataset, **settings):
    given = {"mode": "train", "dataset": dataset, "genotype": "darts_v2"}
    return config.configure(given | settings)


def test_a_training_on_a_small_text_takes_the_sizes_of_its_search(tmp_path):
    for part, lines in (("train", 12), ("valid", 2)):
        (tmp_path / f"{part}.txt").write_text("the cat sat on the mat\n" * lines)
    sizes = {"batch_size": 2, "evaluation_batch_size": 3}
    task = task_of("text", data_dir=str(tmp_path), units=8, bptt=4, **sizes)
    cell = PUBLISHED["recurrent"]["darts_v2"]
    assert task.trained(cell).settings == sizes
    training = train_config("text", data_dir=str(tmp_path), **sizes)
    training_task(dataclasses.replace(training, units=8), cell)  # which begins


def folder_of_images(folder, count, side):
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (side, side), np.uint8)
        file = folder / f"class{number % 2}" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(file)
    return {"dataset": "folder", "data_dir": str(folder)}


@pytest.mark.parametrize(("cutout", "told"), [(16, True), (8, False), (0, False)])
def test_a_cutout_that_takes_most_of_an_image_is_told(tmp_path, capsys, cutout, told):
    given = folder_of_images(tmp_path, 60, 16) | {"batch_size": 8, "validation_examples": 20}
    image_data.training_part(train_config(**given, cutout=cutout))
    line = (
        "--cutout=16 blanks 56 % of an image of 16x16 on average; --cutout=8 would be the share of"
        " the paper's.\n"
    )
    assert (line in capsys.readouterr().out) == told


@pytest.mark.parametrize(
    ("count", "wanted"),
    [(40, {"validation_examples": 20, "batch_size": 4}), (300, {"validation_examples": 150})],
)
def test_a_training_on_few_images_takes_the_sizes_of_its_search(tmp_path, count, wanted):
    data = folder_of_images(tmp_path, count, 32)
    search = config.configure({"mode": "search"} | data | {"batch_size": 4})
    part = image_data.search_part(search)
    needed, _ = fitted(part.check_training, config.PRESETS["train", "folder"], part.small)
    assert needed == wanted
    # The loader of the training's batches refuses as the check does.
    usual = train_config(**data)
    with pytest.raises(UserError) as refused:
        image_data.training_part(usual)
    with pytest.raises(UserError, match=re.escape(str(refused.value))):
        part.check_training(usual)
    image_data.training_part(dataclasses.replace(usual, **wanted))


def test_images_too_small_for_the_auxiliary_head_do_without():
    def counted(training):
        return counts(training, PUBLISHED["convolutional"]["darts_v2"], ImageFacts((8, 8, 3), 2))

    small = dataclasses.replace(config.PRESETS["train", "folder"], channels=2, layers=3)
    assert fitted(counted, small, {"auxiliary_weight": 0.0})[0] == {"auxiliary_weight": 0.0}


@pytest.mark.slow
def test_a_training_on_tiny_images_leaves_out_what_they_are_too_small_for(tmp_path):
    data = folder_of_images(tmp_path, 40, 8)
    sizes = {"batch_size": 4, "channels": 2, "layers": 3}
    search = config.configure({"mode": "search"} | data | sizes)
    network = search_task(search).trained(PUBLISHED["convolutional"]["darts_v2"])
    sizes = {"validation_examples": 20, "batch_size": 4}
    assert network.settings == {**sizes, "cutout": 0, "auxiliary_weight": 0.0}


def test_what_nothing_helps_is_left_to_the_training():
    def refuse(training):
        raise UserError("This has no --flag; give other data.")

    with pytest.raises(UserError, match="other data"):
        fitted(refuse, config.PRESETS["train", "folder"], {"batch_size": 2})


@pytest.mark.slow
def test_convolutional_cells_are_counted_at_the_size_that_is_trained():
    task = task_of("digits", channels=2, layers=3, batch_size=8)
    for name in ("darts_v1", "darts_v2"):
        cell = PUBLISHED["convolutional"][name]
        trained = CifarNetwork(cell, classes=10)
        assert task.trained(cell).counts == {
            "weights": weight_count(trained, image_channels=1),
            "multiply-adds an image": multiply_adds(trained, 8, image_channels=1),
        }


def test_a_precision_without_effect_is_refused(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    set_precision("mixed_bfloat16")
    try:
        with pytest.raises(UserError, match="without a GPU no product of 8 units"):
            task_of("pydoc", units=8, batch_size=4, bptt=6)
    finally:
        set_precision("float32")
