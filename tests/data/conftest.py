"""Fixtures for tests of photographs: encoded pictures, and data sets of them."""

import io
import pathlib

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import registered


def _photograph(number: int, size: tuple[int, int] = (500, 375), kind: str = "JPEG") -> bytes:
    """An encoded picture of large patches with noise, width and height given."""
    random = np.random.default_rng(number)
    patches = Image.fromarray(random.integers(0, 256, (12, 16, 3)).astype(np.uint8))
    pixels = np.asarray(patches.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    pixels = pixels + random.integers(-20, 21, pixels.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, kind, quality=92)
    return file.getvalue()


def _prepare(folder, splits, size=(40, 30), shards=1, encoding="jpeg", in_order=False):
    """Leaves a prepared set named `photos` there; an example's label is its number.

    Args:
      folder: TFDS's directory.
      splits: how many examples each split has, or their labels.
      size: width and height of the first, the others are up to 9 pixels wider.
      shards: files of each split.
      encoding: of the images.
      in_order: whether TFDS leaves the examples in the order of their numbers.
    """
    lists = {k: list(range(v)) if isinstance(v, int) else v for k, v in splits.items()}
    classes = max(max(labels) for labels in lists.values()) + 1

    with registered.skip_registration():

        class Photos(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self,
                    features=tfds.features.FeaturesDict(
                        {
                            "image": tfds.features.Image(encoding_format=encoding),
                            "label": tfds.features.ClassLabel(num_classes=classes),
                            "file_name": tfds.features.Text(),
                        }
                    ),
                    supervised_keys=("image", "label"),
                    disable_shuffling=in_order,
                )

            def _split_generators(self, manager):
                return {name: self._generate_examples(of) for name, of in lists.items()}

            def _generate_examples(self, labels):
                for number, label in enumerate(labels):
                    width = size[0] + number % 10
                    encoded = io.BytesIO(_photograph(number, (width, size[1]), encoding.upper()))
                    yield number, {"image": encoded, "label": label, "file_name": f"{number}"}

    config = tfds.download.DownloadConfig(num_shards=shards)
    Photos(data_dir=folder).download_and_prepare(download_config=config)


def _write_folder(root: pathlib.Path, count: int, classes: int, size=(40, 30), kind="JPEG"):
    """Writes `count` pictures into folders of `classes` classes, in turn."""
    for number in range(count):
        folder = root / f"class{number % classes}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number:05}.{kind.lower()}"
        path.write_bytes(_photograph(number, (size[0] + number % 10, size[1]), kind))


@pytest.fixture(scope="session")
def photograph():
    """A function from a number, a size and a kind to an encoded picture."""
    return _photograph


@pytest.fixture(scope="session")
def prepare_photos():
    """A function that prepares the TFDS set `photos`, see `_prepare`."""
    return _prepare


@pytest.fixture(scope="session")
def write_photos():
    """A function that writes pictures into folders of classes, see `_write_folder`."""
    return _write_folder
