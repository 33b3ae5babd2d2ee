"""Examples are those that TFDS itself gives, whichever way they are read."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import registered

from tf_darts.data.images import tfds_examples
from tf_darts.data.images.image_set import square

COUNT = tfds_examples._BATCH + 44  # more than a batch
SIDES = np.random.default_rng(0).integers(5, 9, (COUNT, 2))


def pictures(channels):
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (*side, channels), np.uint8) for side in SIDES]


def prepared(folder, shards=1, channels=3, shape=(None, None)):
    made = pictures(channels)
    if None not in shape:
        made = [square(picture, shape[0]).numpy() for picture in made]

    with registered.skip_registration():

        class Shapes(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                image = tfds.features.Image(shape=(*shape, channels), encoding_format="png")
                features = {
                    "picture": image,
                    "name": tf.string,
                    "kind": tfds.features.ClassLabel(num_classes=3),
                }
                return tfds.core.DatasetInfo(
                    builder=self,
                    features=tfds.features.FeaturesDict(features),
                    supervised_keys=("picture", "kind"),
                )

            def _split_generators(self, manager):
                return {"train": self._generate_examples(made)}

            def _generate_examples(self, made):
                for i, picture in enumerate(made):
                    yield i, {"picture": picture, "name": str(i), "kind": i % 3}

    builder = Shapes(data_dir=folder)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=shards))
    return builder


def read(builder, image_size=0):
    arguments = builder, "picture", "kind", "train", image_size
    read = list(tfds_examples.batches(*arguments).as_numpy_iterator())
    return len(read), [np.concatenate(column) for column in zip(*read, strict=True)]


@pytest.mark.parametrize("channels", [1, 3])
def test_examples_of_one_size(tmp_path, channels):
    builder = prepared(tmp_path, channels=channels, shape=(6, 6))
    calls, (images, labels) = read(builder)
    assert calls == 2  # by our batches
    expected = list(builder.as_dataset(split="train").as_numpy_iterator())
    np.testing.assert_array_equal(images, [example["picture"] for example in expected])
    np.testing.assert_array_equal(labels, [example["kind"] for example in expected])
    assert (images.shape, images.dtype) == ((COUNT, 6, 6, channels), np.uint8)


@pytest.mark.parametrize("shards", [1, 3])
def test_examples_that_are_scaled(tmp_path, shards):
    builder = prepared(tmp_path, shards)
    calls, (images, labels, origins) = read(builder, 4)
    assert (calls == 2) == (shards == 1)  # TFDS mixes what lies in several files
    expected = list(builder.as_dataset(split="train").as_numpy_iterator())
    np.testing.assert_array_equal(labels, [example["kind"] for example in expected])
    for image, origin, example in zip(images, origins, expected, strict=True):
        np.testing.assert_array_equal(image, square(example["picture"], 4))
        assert origin == tf.io.serialize_tensor(example["picture"]).numpy()


def test_a_file_that_ends_too_early_is_refused(tmp_path):
    builder = prepared(tmp_path)
    (file,) = map(pathlib.Path, builder.info.splits["train"].filepaths)
    records = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records[:-1]:
            writer.write(record)
    with pytest.raises(tf.errors.OpError, match="300 elements"):
        read(builder, 4)
