"""ImageNet: prepared from its archives in miniature, and its real sizes with invented pictures."""

import io
import tarfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_darts.data.images.streamed import StreamedImageData
from tf_darts.errors import UserError


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def imagenet(folder, photograph):
    """The archives as they come, with six training and four validation images."""
    with tarfile.open(folder / "ILSVRC2012_img_train.tar", "w") as archive:
        for place, name in enumerate(("n01440764", "n01443537")):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as synset:
                for number in range(3):
                    picture = photograph(10 * place + number, (60, 45))
                    add(synset, f"{name}_{number}.JPEG", picture)
            add(archive, f"{name}.tar", inner.getvalue())
    with tarfile.open(folder / "ILSVRC2012_img_val.tar", "w") as archive:
        for number in range(1, 5):
            add(archive, f"ILSVRC2012_val_{number:08}.JPEG", photograph(50 + number, (60, 45)))
    with tarfile.open(folder / "ILSVRC2012_img_test.tar", "w") as archive:
        add(archive, "test/ILSVRC2012_test_00000001.JPEG", photograph(99, (60, 45)))


@pytest.mark.slow
def test_imagenet_from_its_archives(tmp_path, photograph):
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    settings = {"image_size": 16, "batch_size": 2, "seed": 1, "validation_examples": 2}
    with pytest.raises(UserError) as caught:
        StreamedImageData("imagenet2012", tmp_path, **settings)
    assert str(caught.value).startswith(
        f"imagenet2012 is not prepared in {tmp_path} and must be fetched by hand; put its files"
        f" into {manual}. TFDS says: manual_dir should contain two files: ILSVRC2012_img_train.tar"
    )
    imagenet(manual, photograph)
    data = StreamedImageData("imagenet2012", tmp_path, **settings)
    assert len(data.classes) == 1000
    assert data.description()["train_images"] == 4
    numbers = np.concatenate([batch.batch[1] for batch in data.epoch(0)])
    assert {data.classes[number] for number in numbers} <= {"n01440764", "n01443537"}
    (batch,) = data.evaluation()
    assert len(batch[1]) == 2
    # The public test images have no classes: the test is on the validation images.
    (batch,) = data.test()
    assert len(batch[1]) == 4
    assert (batch[1].numpy() >= 0).all()


IMAGENET_SHARDS = {"train": (1_281_167, 1024), "validation": (50_000, 64), "test": (100_000, 64)}


@pytest.fixture
def imagenet_metadata(tmp_path):
    """A directory of TFDS's that has what ImageNet's real one says of it, and no image."""
    builder = tfds.builder("imagenet2012", data_dir=tmp_path)
    template = tfds.core.ShardedFileTemplate(
        data_dir=builder.data_path, dataset_name=builder.name, filetype_suffix="tfrecord"
    )
    splits = []
    for name, (count, shards) in IMAGENET_SHARDS.items():
        bounds = np.linspace(0, count, shards + 1).astype(int)
        lengths = np.diff(bounds).tolist()
        splits.append(
            tfds.core.SplitInfo(
                name=name, shard_lengths=lengths, num_bytes=1, filename_template=template
            )
        )
    builder.info.set_splits(tfds.core.splits.SplitDict(splits))
    builder.data_path.mkdir(parents=True)
    builder.info.write_to_directory(builder.data_path)
    return tmp_path


def test_imagenet_at_its_real_size(imagenet_metadata):
    """Read in order through TFDS, whose mock invents the images; training reads shards itself."""
    with tfds.testing.mock_data(
        num_examples=6, policy=tfds.testing.MockPolicy.USE_FILES, data_dir=imagenet_metadata
    ):
        data = StreamedImageData(
            "imagenet2012",
            image_size=32,
            batch_size=128,
            seed=1,
            validation_examples=10_000,
            evaluation_batch_size=4,
        )
        description = data.description()
        moments = [description.pop(name) for name in ("mean", "std")]
        assert [len(moment) for moment in moments] == [3, 3]
        assert description == {
            "dataset": "imagenet2012",
            "image_shape": [32, 32, 3],
            "classes": 1000,
            "train_images": 1_271_167,
            "validation_images": 10_000,
        }
        assert data.classes[0] == "n01440764"
        assert data.steps(0) == 9930
        for batches in (list(data.evaluation()), list(data.test())):
            assert [images.shape for images, _ in batches] == [(4, 32, 32, 3), (2, 32, 32, 3)]
            for images, labels in batches:
                assert np.isfinite(images).all() and np.std(images) > 0
                assert labels.dtype == tf.int32
                assert ((labels.numpy() >= 0) & (labels.numpy() < 1000)).all()
