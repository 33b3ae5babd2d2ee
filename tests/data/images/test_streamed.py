import itertools
import os

import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from tests.support.comparison import assert_same_batches
from tf_darts.data.images import photo_augmentation
from tf_darts.data.images import sources as encoded_images
from tf_darts.data.images.registry import IMAGE_DATASETS
from tf_darts.data.images.streamed import StreamedImageData
from tf_darts.errors import UserError

BATCH = 4
CALM = {"flip": False, "colour_jitter": (0, 0, 0, 0)}
# What an object knows of its images beside what it does to each.
OF_THE_IMAGES = {"_source", "_train", "_validation", "_test", "_description", "classes", "summary"}


@pytest.fixture(scope="module", autouse=True)
def traced_once():
    """Data of the same settings share what is traced of the augmentation, over all tests."""
    traced = {}

    def shared(name):
        method = getattr(StreamedImageData, name)

        def call(data, *example):
            settings = {k: v for k, v in vars(data).items() if k not in OF_THE_IMAGES}
            specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, example)
            key = name, repr(sorted(settings.items())), repr(specs)
            if key not in traced:
                traced[key] = tf.function(lambda *example: method(data, *example))
            return traced[key](*example)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_augmented", "_centred"):
            patch.setattr(StreamedImageData, name, shared(name))
        yield


@pytest.fixture(scope="module")
def tfds_dir(tmp_path_factory, prepare_photos):
    folder = tmp_path_factory.mktemp("tfds")
    prepare_photos(folder, {"train": 50, "test": 12}, shards=3)
    return folder


@pytest.fixture(scope="module")
def folder_dir(tmp_path_factory, write_photos):
    folder = tmp_path_factory.mktemp("folder")
    write_photos(folder / "train", 50, 5)
    write_photos(folder / "test", 12, 5)
    return folder


# What both kinds have from the same lines is tried with the quicker one.
of_folders = pytest.mark.parametrize(
    "make", [pytest.param("photos", marks=pytest.mark.long), "folder"], indirect=True
)


@pytest.fixture(params=["photos", "folder"])
def make(request, tfds_dir, folder_dir):
    """Makes data of either kind."""
    folder = tfds_dir if request.param == "photos" else folder_dir

    def make(**settings):
        small = {"image_size": 16, "batch_size": BATCH, "seed": 1, "validation_examples": 10}
        return StreamedImageData(request.param, folder, **(small | settings))

    return make


def prints(pixels):
    """A mark of each image."""
    return [bytes(np.array(image)) for image in pixels]


def test_batches(make):
    data = make()
    assert data.steps(0) == 10
    assert data.shape == (16, 16, 3)
    for step, batch in enumerate(itertools.chain(data.epoch(0), data.epoch(1))):
        pixels, numbers = batch.batch
        assert (pixels.shape, pixels.dtype) == ((BATCH, 16, 16, 3), np.float32)
        assert (numbers.shape, numbers.dtype) == ((BATCH,), np.int32)
        assert np.isfinite(pixels).all()
        assert batch.learning_rate_scale == 1
        assert batch.starts_pass == (step % 10 == 0)
    assert step == 19


def test_the_parts(tfds_dir):
    data = StreamedImageData(
        "photos", tfds_dir, image_size=8, batch_size=5, seed=1, validation_examples=10
    )
    train = np.concatenate([batch.batch[1] for batch in data.epoch(0)])
    validation = np.concatenate([numbers for _, numbers in data.evaluation()])
    assert (len(train), len(validation)) == (40, 10)
    assert sorted([*train, *validation]) == list(range(50))
    other = StreamedImageData(
        "photos", tfds_dir, image_size=8, batch_size=5, seed=2, validation_examples=10
    )
    again = np.concatenate([numbers for _, numbers in other.evaluation()])
    np.testing.assert_array_equal(again, validation)
    assert (train != np.concatenate([batch.batch[1] for batch in other.epoch(0)])).any()
    assert data.classes == tuple(map(str, range(50)))


def test_the_validation_part_of_a_folder_is_a_fixed_mixture(folder_dir):
    def evaluation(seed):
        data = StreamedImageData(
            "folder", folder_dir, image_size=8, batch_size=5, seed=seed, validation_examples=20
        )
        assert data.classes == tuple(f"class{number}" for number in range(5))
        return next(data.evaluation())

    (one, labels), (other, _) = evaluation(1), evaluation(2)
    np.testing.assert_array_equal(one, other)
    assert len(set(labels.numpy())) == 5
    everything = StreamedImageData(
        "folder", folder_dir, image_size=8, batch_size=1, seed=1, validation_examples=49
    )
    assert len(set(prints(next(everything.evaluation())[0]))) == 49


def test_evaluation_is_the_centre(tfds_dir, photograph):
    data = StreamedImageData(
        "photos",
        tfds_dir,
        image_size=16,
        batch_size=5,
        seed=1,
        validation_examples=10,
        evaluation_batch_size=4,
    )
    assert data.validates
    batches = list(data.evaluation())
    assert [len(numbers) for _, numbers in batches] == [4, 4, 2]
    pixels, numbers = (np.concatenate(part) for part in zip(*batches, strict=True))
    assert (pixels.dtype, numbers.dtype) == (np.float32, np.int32)
    for image, number in zip(pixels, numbers, strict=True):
        encoded = photograph(number, (40 + number % 10, 30))
        region = photo_augmentation.central_region(tf.constant([30, 40 + number % 10]))
        centre = photo_augmentation.decode_region(tf.constant(encoded), *region)
        expected = photo_augmentation.resize(centre, 16).numpy()
        expected = (expected - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
        np.testing.assert_allclose(image, expected, atol=1e-4)


def test_the_usual_moments_of_imagenet():
    # As fractions of 255 the field writes 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225.
    np.testing.assert_allclose(
        np.array(photo_augmentation.IMAGENET_MEAN) / 255, [0.485, 0.456, 0.406]
    )
    np.testing.assert_allclose(
        np.array(photo_augmentation.IMAGENET_STD) / 255, [0.229, 0.224, 0.225]
    )


def test_other_moments(make):
    usual, raw = next(make().evaluation()), next(make(mean=(0,) * 3, std=(1,) * 3).evaluation())
    assert 0 <= raw[0].numpy().min() < raw[0].numpy().max() <= 255
    expected = (raw[0] - np.array([123.675, 116.28, 103.53])) / np.array([58.395, 57.12, 57.375])
    np.testing.assert_allclose(usual[0], expected, atol=1e-4)


@pytest.mark.parametrize("settings", [{"train_on_all": True}, {"validation_examples": 0}])
def test_without_validation(make, settings):
    data = make(**settings)
    assert not data.validates
    assert list(data.evaluation()) == []
    assert data.steps(0) == 12
    assert data.description()["train_images"] == 50


@pytest.mark.parametrize("train_examples", [8, 13])
def test_fewer_examples(make, train_examples):
    every, data = make(), make(train_examples=train_examples, **CALM)
    assert data.steps(0) == train_examples // BATCH
    np.testing.assert_array_equal(next(data.evaluation())[0], next(every.evaluation())[0])
    assert data.description()["train_images"] == train_examples


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_epoch", [0, 3, 13])
def test_resuming(make, steps_per_epoch):
    whole = list(make(steps_per_epoch=steps_per_epoch).epoch(2))
    assert len(whole) == (steps_per_epoch or 10)
    for start in {0, 1, 2, len(whole) - 1, len(whole), len(whole) + 1}:
        resumed = make(steps_per_epoch=steps_per_epoch)  # as in a new process
        assert_same_batches(resumed.epoch(2, start), whole[start:])


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_epoch", [3, 13])
def test_short_epochs_partition_the_passes(make, steps_per_epoch):
    passes, short = make(), make(steps_per_epoch=steps_per_epoch)
    sequence = itertools.chain.from_iterable(passes.epoch(number) for number in itertools.count())
    expected = list(itertools.islice(sequence, 2 * steps_per_epoch))
    assert_same_batches(itertools.chain.from_iterable(map(short.epoch, range(2))), expected)


def test_resuming_within_several_chunks(tfds_dir, monkeypatch):
    monkeypatch.setattr(encoded_images, "_CHUNK", 7)
    monkeypatch.setattr(encoded_images, "_PARALLEL_SHARDS", 2)
    settings = {"image_size": 8, "batch_size": 3, "seed": 1, "validation_examples": 10}
    whole = list(StreamedImageData("photos", tfds_dir, **settings).epoch(1))
    for start in (2, 4, 5, 12):
        resumed = StreamedImageData("photos", tfds_dir, **settings)
        assert_same_batches(resumed.epoch(1, start), whole[start:])


def test_seeds_and_passes_differ(make):
    firsts = [
        prints(next(iter(make(seed=seed).epoch(number))).batch[0])[0]
        for seed, number in ((1, 0), (1, 1), (2, 0), (-1, 0), (1, 0))
    ]
    assert len(set(firsts)) == 4
    assert firsts[0] == firsts[4]


@pytest.mark.slow
@of_folders
def test_the_global_seed_does_not_matter(make):
    tf.random.set_seed(1)
    one = list(make().epoch(0))
    tf.random.set_seed(2)
    assert_same_batches(make().epoch(0), one)


@pytest.mark.slow
@of_folders
def test_each_visit_of_an_image_is_another(make):
    data = make(train_on_all=True, batch_size=50, **CALM)
    marks = [prints(next(iter(data.epoch(number))).batch[0]) for number in range(4)]
    assert len(set(itertools.chain.from_iterable(marks))) == 200


def test_flips(tmp_path):
    """Of a picture that is dark on the left, half of all visits are bright there."""
    from PIL import Image

    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:] = np.linspace(0, 255, 32)[:, np.newaxis]
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(100):
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")

    def mirrored(**settings):
        data = StreamedImageData(
            "folder", tmp_path, image_size=8, batch_size=200, seed=1, validation_examples=0,
            **settings,
        )  # fmt: skip
        images = next(iter(data.epoch(0))).batch[0].numpy()
        return np.mean(images[:, :, 0].mean((1, 2)) > images[:, :, -1].mean((1, 2)))

    # The standard deviation is 0.035.
    assert mirrored(colour_jitter=(0, 0, 0, 0)) == pytest.approx(0.5, abs=0.14)
    assert mirrored(colour_jitter=(0, 0, 0, 0), flip=False) == 0


@pytest.mark.slow
@of_folders
def test_without_random_crops_it_is_the_middle_of_each(make):
    """Mirrored or not, and but for the jitter exactly as in evaluation."""
    settings = {"validation_examples": 0, "batch_size": 10}
    data = make(random_crop=False, colour_jitter=(0, 0, 0, 0), **settings)
    seen = np.concatenate([batch.batch[0] for batch in data.epoch(0)])
    held = make(validation_examples=49, batch_size=1, evaluation_batch_size=49)
    middles = set(prints(next(held.evaluation())[0]))
    plain = [image in middles for image in prints(seen)]
    mirrored = [image in middles for image in prints(seen[:, :, ::-1])]
    # One of the 50 was left for the training.
    assert sum(plain) + sum(mirrored) == 49 and min(sum(plain), sum(mirrored)) > 10
    jittered = next(iter(make(random_crop=False, **settings).epoch(0))).batch[0]
    assert (np.abs(jittered - seen[:10]).max((1, 2, 3)) > 0.02).all()


def test_colours_are_jittered(make):
    calm, wild = make(flip=False, colour_jitter=(0, 0, 0, 0)), make(flip=False)
    for one, other in zip(calm.epoch(0), wild.epoch(0), strict=True):
        np.testing.assert_array_equal(one.batch[1], other.batch[1])
        assert (np.abs(one.batch[0] - other.batch[0]).max((1, 2, 3)) > 0.02).all()


def test_other_precision(make):
    data = make(dtype="float64")
    assert next(iter(data.epoch(0))).batch[0].dtype == "float64"
    assert next(data.evaluation())[0].dtype == "float64"


def test_a_set_in_order_is_warned_of(tmp_path, prepare_photos, monkeypatch):
    warnings = []
    monkeypatch.setattr(logging, "warning", lambda text, *args: warnings.append(text % args))
    settings = {"image_size": 8, "batch_size": 4, "seed": 1}
    for name, in_order in (("a", False), ("b", True)):
        (tmp_path / name).mkdir()
        prepare_photos(tmp_path / name, {"train": 8}, in_order=in_order)
    StreamedImageData("photos", tmp_path / "a", validation_examples=2, **settings)
    StreamedImageData("photos", tmp_path / "b", validation_examples=0, **settings)
    ours = [text for text in warnings if text.startswith("photos was prepared")]
    assert not ours
    StreamedImageData("photos", tmp_path / "b", validation_examples=2, **settings)
    assert (
        "photos was prepared unshuffled: its first 2 images, kept for validation, may be of few"
        " classes."
    ) in warnings


def test_png(tmp_path, prepare_photos):
    prepare_photos(tmp_path, {"train": 8}, encoding="png")
    data = StreamedImageData(
        "photos", tmp_path, image_size=8, batch_size=4, seed=1, validation_examples=0
    )
    assert len(list(data.epoch(0))) == 2


def test_the_test_part(make):
    data = make(evaluation_batch_size=5)
    batches = list(data.test())
    assert [len(numbers) for _, numbers in batches] == [5, 5, 2]
    numbers = np.concatenate([numbers for _, numbers in batches])
    expected = {50: range(12), 5: [n % 5 for n in range(12)]}[len(data.classes)]
    assert sorted(numbers) == sorted(expected)
    assert batches[0][0].shape == (5, 16, 16, 3)


def test_what_was_found_for_the_test_is_told_once(make, capsys):
    data = make()
    list(data.test())
    data.test_fingerprint()
    assert len(list(data.test())) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if "in the test part" in line]
    assert len(told) == (len(data.classes) == 5)  # of a set of TFDS it is known


@pytest.mark.parametrize("state", ["damaged", "missing", "a pipe"])
def test_the_test_split_is_not_opened_for_training(tmp_path, prepare_photos, state):
    prepare_photos(tmp_path, {"train": 10, "test": 6, "validation": 6})
    for split in ("test", "validation"):
        (record,) = (tmp_path / "photos" / "1.0.0").glob(f"*-{split}.tfrecord*")
        record.unlink()
        if state == "damaged":
            record.write_bytes(b"nonsense")
        elif state == "a pipe":
            os.mkfifo(record)  # whoever opens it waits forever
    data = StreamedImageData(
        "photos", tmp_path, image_size=8, batch_size=4, seed=1, validation_examples=2
    )
    assert len(list(data.epoch(0))) == 2
    assert len(list(data.evaluation())) == 1
    if state != "a pipe":
        with pytest.raises(UserError, match="damaged"):
            list(data.test())


def test_the_test_folder_is_not_looked_at_for_training(tmp_path, write_photos):
    write_photos(tmp_path / "train", 10, 2)
    (tmp_path / "test").write_text("a file")
    data = StreamedImageData(
        "folder", tmp_path, image_size=8, batch_size=4, seed=1, validation_examples=2
    )
    assert len(list(data.epoch(0))) == 2
    assert len(list(data.evaluation())) == 1
    with pytest.raises(UserError, match="no images set aside for the test"):
        list(data.test())


def test_a_file_s_name_that_is_no_text(tmp_path, write_photos):
    write_photos(tmp_path, 8, 2)
    file = tmp_path / "class0" / "00000.jpeg"
    file.rename(file.with_name(os.fsdecode(b"\xe4.jpeg")))
    data = StreamedImageData(
        "folder", tmp_path, image_size=8, batch_size=8, seed=1, validation_examples=0
    )
    ((images, _),) = (batch.batch for batch in data.epoch(0))
    assert images.shape == (8, 8, 8, 3)
    assert data.fingerprint()


def test_a_damaged_image(tmp_path, write_photos):
    write_photos(tmp_path, 8, 2)
    damaged = tmp_path / "class0" / "00000.jpeg"
    damaged.write_bytes(b"\xff\xd8\xff not a picture")
    data = StreamedImageData(
        "folder", tmp_path, image_size=8, batch_size=8, seed=1, validation_examples=0
    )
    with pytest.raises(UserError, match=rf"^{damaged}: cannot read this image \([^)]+\); repair"):
        list(data.epoch(0))


def test_description(make):
    data = make(train_examples=30)
    assert data.description() == {
        "dataset": {50: "photos", 5: "folder"}[len(data.classes)],
        "image_shape": [16, 16, 3],
        "classes": len(data.classes),
        "train_images": 30,
        "validation_images": 10,
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
        **({"formats": ["JPEG"]} if len(data.classes) == 5 else {}),
    }
    assert data.assets() == {"labels.txt": "".join(f"{name}\n" for name in data.classes)}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, "Batch sizes of 0 and 256"),
        ({"steps_per_epoch": -1}, "-1 steps per epoch"),
        ({"image_size": 0}, "--image_size=N, not 0"),
        ({"colour_jitter": (0.4, 0.4, 0.4, 0.6)}, r"jitter of 0.4, 0.4, 0.4, 0.6: give"),
        ({"colour_jitter": (-0.1, 0, 0, 0)}, "from 0 to 1"),
        ({"colour_jitter": (0, 0, 1.1, 0)}, "from 0 to 1"),
        (
            {"validation_examples": 50},
            r"50 cannot be kept .* --validation_examples=N from 1 to 46, or",
        ),
        ({"train_examples": 41}, r"40 training images, not 41; .* from 1 to 40"),
        ({"batch_size": 41}, r"training part of \w+ has 40 images, but a batch has 41"),
    ],
)
def test_errors(make, settings, words):
    with pytest.raises(UserError, match=words):
        make(**settings)


def test_sets_in_memory_are_not_streamed(monkeypatch):
    monkeypatch.setitem(IMAGE_DATASETS, "mine", None)
    for name in ("digits", "mine"):
        with pytest.raises(
            UserError,
            match="--stream_images reads photographs .* the images of"
            f" --dataset={name} are always in memory: leave it out",
        ):
            StreamedImageData(name, batch_size=1, seed=1, validation_examples=0)


@pytest.mark.parametrize("name", ["folder", "photos"])
def test_no_directory(name):
    with pytest.raises(UserError, match=r"/no/such is not a directory; .* mkdir -p /no/such"):
        StreamedImageData(name, "/no/such", batch_size=1, seed=1, validation_examples=0)
