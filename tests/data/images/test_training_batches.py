import itertools
import re

import numpy as np
import pytest

from tests.support.comparison import assert_same_batches
from tf_darts.data.asset_files import listed
from tf_darts.data.images import augmentation
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.search_batches import ImageSearchData
from tf_darts.data.images.training_batches import ImageTrainingData
from tf_darts.errors import UserError
from tf_darts.runtime.seeds import sub_seed

BATCH = 4
PLAIN = {"crop_padding": 0, "flip": False}


def make_images(count=50, shape=(6, 5, 3), seed=0):
    """Every label is the image's own number, so that batches tell where they come from."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int32)
    return ImageSet("numbers", pixels, labels, tuple(map(str, range(60))))


def make(images=None, **settings):
    settings = {"batch_size": BATCH, "seed": 1, "validation_examples": 10} | settings
    return ImageTrainingData(images or make_images(), **settings)


def labels(batches):
    return np.concatenate([batch.batch[1] for batch in batches])


def blanked(images, centres, side):
    """An image at a time, as the reference implementation of cutout does."""
    made = images.copy()
    for image, (row, column) in zip(made, centres, strict=True):
        top, left = row - side // 2, column - side // 2
        image[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
    return made


@pytest.mark.parametrize("side", [1, 2, 3, 4, 9, 30])
def test_cut_out(side):
    images = 1 + np.random.default_rng(0).random((30, 6, 5, 3))
    centres = np.stack(np.unravel_index(np.arange(30), (6, 5)), 1).astype(np.int32)
    made = augmentation.cut_out(images, centres, side).numpy()
    np.testing.assert_array_equal(made, blanked(images, centres, side))
    pixels = (made == 0).sum((1, 2, 3)) / 3
    assert pixels.max() == min(side, 6) * min(side, 5)
    assert pixels.min() >= ((side + 1) // 2) ** 2 or side > 5
    assert augmentation.share_cut_out(6, 5, side) == pytest.approx(pixels.mean() / 30)


def test_centres():
    centres = augmentation.draw_centres(7, np.int64(3), 20_000, (6, 5)).numpy()
    counts = np.zeros((6, 5))
    np.add.at(counts, tuple(centres.T), 1)
    # About 667 of each: the standard deviation is 25.
    assert np.abs(counts - 20_000 / 30).max() < 110
    for seed, step in ((8, 3), (7, 4)):
        others = augmentation.draw_centres(seed, np.int64(step), 20_000, (6, 5)).numpy()
        assert (centres != others).any()


@pytest.mark.parametrize(
    "settings", [{}, {"cutout": 3}, {"crop_padding": 0, "cutout": 4}, {"flip": False}, PLAIN]
)
def test_batches_are_what_the_reference_makes_of_the_images(settings):
    images = make_images()
    data = make(images, **settings)
    padding, flip = settings.get("crop_padding", 4), settings.get("flip", True)
    for step, batch in enumerate(itertools.chain(data.epoch(0), data.epoch(1))):
        pixels, numbers = (np.array(x) for x in batch.batch)
        assert (pixels.shape, pixels.dtype) == ((BATCH, 6, 5, 3), np.float32)
        assert (numbers.shape, numbers.dtype) == ((BATCH,), np.int32)
        seed = sub_seed(1, "train", "augmentation")
        drawn = augmentation.draw(seed, np.int64(step), BATCH, padding, flip)
        expected = augmentation.crop_and_flip(images.images[numbers], *drawn, padding)
        expected = (np.array(expected) - data.mean) / data.std
        if cutout := settings.get("cutout"):
            seed = sub_seed(1, "train", "cutout")
            centres = augmentation.draw_centres(seed, np.int64(step), BATCH, (6, 5)).numpy()
            expected = blanked(expected, centres, cutout)
            assert (pixels == 0).all(-1).any()
        np.testing.assert_allclose(pixels, expected, atol=1e-5)
        assert batch.learning_rate_scale == 1
        assert batch.starts_pass == (step % 10 == 0)
    assert step == 19


def test_cutout_blanks_after_normalising_and_not_in_the_evaluation():
    white = make_images(shape=(8, 8, 1))
    white.images[...] = 255
    white.images[:, 0] = 0
    data = make(white, cutout=4, **PLAIN)
    for batch in data.epoch(0):
        blank = np.array(batch.batch[0]) == 0  # no pixel has the mean
        assert blank.any((1, 2, 3)).all()
        assert blank.sum((1, 2, 3)).max() <= 16
    assert all((np.array(pixels) != 0).all() for pixels, _ in data.evaluation())


def test_the_parts_are_disjoint_and_the_same_for_all_seeds():
    one, other = make(seed=1), make(seed=2)
    np.testing.assert_array_equal(one.train_labels, other.train_labels)
    np.testing.assert_array_equal(one.validation_labels, other.validation_labels)
    assert (len(one.train_labels), len(one.validation_labels)) == (40, 10)
    both = [*one.validation_labels, *one.train_labels]
    assert sorted(both) == list(range(50))
    assert both != sorted(both)
    assert one.validates


@pytest.mark.parametrize("train_examples", [0, 5, 40])
def test_fewer_examples_leave_the_validation_alone(train_examples):
    data, every = make(train_examples=train_examples), make()
    np.testing.assert_array_equal(data.validation_labels, every.validation_labels)
    expected = every.train_labels[: train_examples or 40]
    np.testing.assert_array_equal(data.train_labels, expected)
    seen = set(labels(itertools.chain.from_iterable(map(data.epoch, range(8)))))
    assert seen == set(expected)


@pytest.mark.parametrize("settings", [{"train_on_all": True}, {"validation_examples": 0}])
def test_without_validation(settings):
    data = make(**settings)
    assert not data.validates
    assert list(data.evaluation()) == []
    assert sorted(data.train_labels) == list(range(50))
    assert len(data.validation_labels) == 0
    assert data.steps(0) == 12
    assert data.description()["validation_images"] == 0


@pytest.mark.parametrize(
    "settings", [{}, {"train_on_all": True}, {"train_examples": 12}, {"validation_examples": 30}]
)
def test_moments_are_those_of_the_images_trained_on(settings):
    images = make_images()
    data = make(images, **settings)
    pixels = images.images[data.train_labels].reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(data.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(data.std, pixels.std(0), rtol=1e-12)
    # They do not depend on what a test need not know.
    again = make(images, **settings, seed=9, batch_size=2, cutout=2, steps_per_epoch=3)
    np.testing.assert_array_equal(again.mean, data.mean)
    np.testing.assert_array_equal(again.std, data.std)


def test_evaluation_is_the_validation_part_in_order_as_it_is():
    images = make_images()
    data = make(images, evaluation_batch_size=4, cutout=3)
    batches = list(data.evaluation())
    assert [len(numbers) for _, numbers in batches] == [4, 4, 2]
    pixels, numbers = (np.concatenate(part) for part in zip(*batches, strict=True))
    np.testing.assert_array_equal(numbers, data.validation_labels)
    assert (pixels.dtype, numbers.dtype) == (np.float32, np.int32)
    expected = (images.images[numbers] - data.mean) / data.std
    np.testing.assert_allclose(pixels, expected, atol=1e-5)
    assert data.evaluation_batch_size == 4


@pytest.mark.parametrize("train_on_all", [True, False])
def test_the_test_part_has_the_training_moments(train_on_all):
    data = make(train_on_all=train_on_all, evaluation_batch_size=8)
    test = make_images(count=20, seed=5)
    batches = list(data.test(test))
    assert [len(numbers) for _, numbers in batches] == [8, 8, 4]
    pixels, numbers = (np.concatenate(part) for part in zip(*batches, strict=True))
    np.testing.assert_array_equal(numbers, np.arange(20))
    assert (pixels.dtype, numbers.dtype) == (np.float32, np.int32)
    np.testing.assert_allclose(pixels, (test.images - data.mean) / data.std, atol=1e-5)


def test_the_test_part_must_be_alike():
    other = make_images(shape=(5, 5, 3))
    with pytest.raises(UserError, match=r"test part of numbers has images of 5x5x3 in 60 classes"):
        make().test(other)
    images = make_images()
    renamed = ImageSet("numbers", images.images, images.labels, images.classes[::-1])
    with pytest.raises(UserError, match="names differ"):
        make().test(renamed)


def test_every_image_is_seen_once_in_a_pass():
    data = make()
    passes = [labels(data.epoch(number)) for number in range(4)]
    for one in passes:
        assert sorted(one) == sorted(data.train_labels)
    assert (passes[0] != passes[1]).any()
    assert not set(passes[0]) & set(data.validation_labels)


def test_seeds_differ_and_repeat():
    assert_same_batches(make(cutout=2).epoch(3), make(cutout=2).epoch(3))
    assert (labels(make().epoch(0)) != labels(make(seed=2).epoch(0))).any()
    assert make(seed=-1).steps(0) == 10


@pytest.mark.parametrize("steps_per_epoch", [0, 4, 25])
def test_steps_and_resuming(steps_per_epoch):
    whole = list(make(steps_per_epoch=steps_per_epoch, cutout=3).epoch(3))
    assert len(whole) == make(steps_per_epoch=steps_per_epoch).steps(3) == (steps_per_epoch or 10)
    for start in (0, 1, 3, len(whole) - 1, len(whole), len(whole) + 1):
        resumed = make(steps_per_epoch=steps_per_epoch, cutout=3)  # as in a new process
        assert_same_batches(resumed.epoch(3, start), whole[start:])


@pytest.mark.parametrize("steps_per_epoch", [4, 25])
def test_short_epochs_partition_the_passes(steps_per_epoch):
    passes, short = make(), make(steps_per_epoch=steps_per_epoch)
    sequence = itertools.chain.from_iterable(passes.epoch(number) for number in itertools.count())
    expected = list(itertools.islice(sequence, 3 * steps_per_epoch))
    assert_same_batches(itertools.chain.from_iterable(map(short.epoch, range(3))), expected)


def test_other_precision():
    data = make(dtype="float64", cutout=2)
    assert next(iter(data.epoch(0))).batch[0].dtype == "float64"
    assert next(data.evaluation())[0].dtype == "float64"
    assert next(data.test(make_images()))[0].dtype == "float64"


def test_training_sees_the_search_s_images_in_the_same_fixed_order():
    search = ImageSearchData(make_images(), batch_size=BATCH, seed=1, train_portion=0.2)
    np.testing.assert_array_equal(search.train_labels, make().validation_labels)


def test_description():
    data = make(train_examples=30)
    assert data.assets() == {"labels.txt": listed(make_images().classes)}
    assert data.description() == {
        "dataset": "numbers",
        "image_shape": [6, 5, 3],
        "classes": 60,
        "train_images": 30,
        "validation_images": 10,
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, "Batch sizes of 0 and 256"),
        ({"evaluation_batch_size": 0}, "Batch sizes of 4 and 0"),
        ({"crop_padding": -1}, "crop_padding of -1"),
        ({"cutout": -1}, "cutout of -1"),
        ({"steps_per_epoch": -1}, "-1 steps per epoch"),
        (
            {"validation_examples": 50},
            r"50 cannot be kept .* --validation_examples=N from 1 to 46, or",
        ),
        (
            {"validation_examples": 5000, "batch_size": 96},
            r"5000 cannot .*=N from 1 to 49 and a --batch_size of at most 50 - N",
        ),
        (
            {"crop_padding": 100_000},
            r"--crop_padding=100000: the images of numbers have \d+ pixels",
        ),
        ({"cutout": 100_000}, r"--cutout=100000: the images of numbers have \d+ pixels"),
        ({"validation_examples": -1}, "-1 cannot be kept"),
        ({"train_examples": 41}, r"40 training images, not 41; .* from 1 to 40"),
        ({"train_examples": -1}, "not -1"),
        ({"batch_size": 41}, r"training part of numbers has 40 images.* 41; use a smaller --batch"),
        ({"train_examples": 3}, "training part of numbers has 3 images"),
    ],
)
def test_errors(settings, words):
    with pytest.raises(UserError, match=words):
        make(**settings)


def test_advice_about_sizes_works():
    side = 100_000
    for setting in ("crop_padding", "cutout"):
        with pytest.raises(UserError) as error:
            make(**{setting: side})
        make(**{setting: int(re.search(r"give 0 to (\d+)\.", str(error.value))[1])})
    make(validation_examples=49, batch_size=1)  # "from 1 to 49"
    make(validation_examples=50, train_on_all=True)  # "or --train_on_all"
