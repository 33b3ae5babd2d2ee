"""Parts of tools/measure_exports.py; tests/test_export_command.py runs it."""

import importlib.util
import types

import numpy as np
import pytest

from tests.support.paths import ROOT
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.training_batches import ImageTrainingData
from tf_darts.errors import UserError

FILE = ROOT / "tools" / "measure_exports.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("measure_exports", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_exported(tool, tmp_path):
    (tmp_path / "1").mkdir()
    with pytest.raises(UserError, match="has no exported version in it"):
        list(tool.models(tmp_path, 1))


@pytest.fixture
def with_data(finished, tmp_path, tool, monkeypatch):
    """A function that makes a training on ten images with settings; returns it and the images."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3)).astype(np.uint8)
    images = ImageSet("cifar10", pixels, np.arange(10, dtype=np.int32) % 3, ("a", "b", "c"))

    def make(**settings):
        data = ImageTrainingData(images, batch_size=2, seed=0, validation_examples=6, **settings)
        monkeypatch.setattr(tool, "training_task", lambda *_: types.SimpleNamespace(data=data))
        network = tmp_path / "run"
        finished(network, "cifar10", known={"mean": data.mean.tolist(), "std": data.std.tolist()})
        return str(network), pixels

    return make


def test_validation_images_as_they_were(tool, with_data):
    run_dir, pixels = with_data()
    images, labels = tool.images_of(run_dir, "", 5)
    assert images.dtype == np.uint8 and images.shape == (5, 32, 32, 3)
    places = [next(i for i in range(10) if (pixels[i] == image).all()) for image in images]
    assert len(set(places)) == 5
    assert labels.tolist() == [place % 3 for place in places]


def test_no_validation_images(tool, with_data):
    run_dir, _ = with_data(train_on_all=True)
    with pytest.raises(UserError, match="was trained with --train_on_all"):
        tool.images_of(run_dir, "", 5)


def test_a_language_model(tool, finished, tmp_path):
    finished(tmp_path / "run", "pydoc")
    with pytest.raises(UserError, match="only networks of images"):
        tool.images_of(str(tmp_path / "run"), "", 5)
