import itertools

import numpy as np
import pytest

from tests.support.comparison import assert_same_batches
from tf_darts.data.images import augmentation
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.search_batches import ImageSearchData
from tf_darts.errors import UserError
from tf_darts.runtime.seeds import sub_seed

BATCH = 4


def make_images(count=50, shape=(6, 5, 3)):
    """Every label is the image's own number, so that batches tell where they come from."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int32)
    return ImageSet("numbers", pixels, labels, tuple(map(str, labels)))


def make(images=None, **settings):
    return ImageSearchData(images or make_images(), **{"batch_size": BATCH, "seed": 1, **settings})


def labels(batches, part="train"):
    return np.concatenate([getattr(batch, part)[1] for batch in batches])


def reference(images, corners, flips, padding):
    """What torchvision's RandomCrop and RandomHorizontalFlip do, an image at a time."""
    made = []
    for image, (top, left), flip in zip(images, corners, flips, strict=True):
        bordered = np.pad(image, [(padding, padding), (padding, padding), (0, 0)])
        cut = bordered[top : top + image.shape[0], left : left + image.shape[1]]
        made.append(np.fliplr(cut) if flip else cut)
    return np.stack(made)


@pytest.mark.parametrize("padding", [0, 1, 4])
def test_crop_and_flip(padding):
    images = make_images().images
    random = np.random.default_rng(1)
    corners = random.integers(0, 2 * padding + 1, (50, 2), np.int32)
    flips = random.random(50) < 0.5
    made = augmentation.crop_and_flip(images, corners, flips, padding)
    np.testing.assert_array_equal(made, reference(images, corners, flips, padding))


def test_draws():
    corners, flips = (np.array(x) for x in augmentation.draw(7, np.int64(3), 20_000, 4, True))
    assert corners.shape == (20_000, 2)
    # About 2222 of each: the standard deviation is 44 and that of the flips' mean 0.0035.
    for column in corners.T:
        assert np.abs(np.bincount(column, minlength=9) - 20_000 / 9).max() < 220
    assert flips.mean() == pytest.approx(0.5, abs=0.018)
    together = np.corrcoef([*corners.T, flips]) - np.eye(3)
    assert np.abs(together).max() < 0.04
    for seed, step in ((8, 3), (7, 4)):
        others, _ = augmentation.draw(seed, np.int64(step), 20_000, 4, True)
        assert (corners != others.numpy()).any()


def test_draws_of_nothing():
    corners, flips = augmentation.draw(7, np.int64(3), 100, 0, False)
    assert not np.any(corners)
    assert not np.any(flips)


@pytest.mark.parametrize(
    "settings", [{}, {"crop_padding": 2}, {"crop_padding": 0}, {"flip": False}]
)
@pytest.mark.parametrize("part", ["train", "validation"])
def test_batches_are_what_the_reference_makes_of_the_images(part, settings):
    images = make_images()
    data = make(images, **settings)
    padding, flip = settings.get("crop_padding", 4), settings.get("flip", True)
    for step, batch in enumerate(itertools.chain(data.epoch(0), data.epoch(1))):
        pixels, numbers = (np.array(x) for x in getattr(batch, part))
        assert (pixels.dtype, numbers.dtype) == (np.float32, np.int32)
        seed = sub_seed(1, part, "augmentation")
        drawn = augmentation.draw(seed, np.int64(step), BATCH, padding, flip)
        expected = reference(images.images[numbers], *map(np.array, drawn), padding)
        np.testing.assert_allclose(pixels, (expected - data.mean) / data.std, atol=1e-5)
    assert step == 11


def test_nothing_to_augment():
    images = make_images()
    data = make(images, crop_padding=0, flip=False)
    for batch in data.epoch(0):
        for pixels, numbers in (batch.train, batch.validation):
            restored = pixels * data.std.astype(np.float32) + data.mean.astype(np.float32)
            np.testing.assert_allclose(restored, images.images[numbers], atol=1e-3)


def test_the_border_is_black_before_normalising():
    white = make_images()
    white.images[...] = 255
    white.images[..., 0] = 100
    data = make(white, flip=False)
    assert data.mean.tolist() == [100, 255, 255]
    assert data.std.tolist() == [1, 1, 1]
    values = {
        tuple(pixel) for batch in data.epoch(0) for pixel in np.reshape(batch.train[0], (-1, 3))
    }
    assert values == {(0, 0, 0), (-100, -255, -255)}


@pytest.mark.parametrize("train_examples", [0, 20])
def test_moments(train_examples):
    images = make_images()
    data = make(images, train_examples=train_examples)
    used = np.concatenate([data.train_labels, data.validation_labels])
    assert len(used) == (train_examples or 50)
    pixels = images.images[used].reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(data.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(data.std, pixels.std(0), rtol=1e-12)
    assert data.mean.dtype == data.std.dtype == np.float64


def test_moments_of_many_images():
    images = make_images(3000, (2, 2, 1))
    mean, std = augmentation.moments(images.images, np.arange(3000))
    np.testing.assert_allclose(mean, [images.images.mean()], rtol=1e-12)
    np.testing.assert_allclose(std, [images.images.std()], rtol=1e-12)


def test_other_precision():
    batch = next(make(dtype="float64").epoch(0))
    assert batch.train[0].dtype == batch.validation[0].dtype == "float64"
    assert next(make(dtype="float64").evaluation())[0].dtype == "float64"


def test_the_split_is_the_same_for_all_seeds_and_mixes():
    one, other = make(seed=1), make(seed=2)
    np.testing.assert_array_equal(one.train_labels, other.train_labels)
    np.testing.assert_array_equal(one.validation_labels, other.validation_labels)
    both = [*one.train_labels, *one.validation_labels]
    assert sorted(both) == list(range(50))
    assert both != sorted(both)
    few = make(train_examples=20)
    assert [*few.train_labels, *few.validation_labels] == both[:20]


@pytest.mark.parametrize(("portion", "sizes"), [(0.5, (25, 25)), (0.7, (35, 15)), (0.33, (16, 34))])
def test_portions(portion, sizes):
    data = make(train_portion=portion)
    assert (len(data.train_labels), len(data.validation_labels)) == sizes


@pytest.mark.parametrize("portion", [0.5, 0.7])
def test_every_image_of_a_half_is_seen_once_in_a_pass(portion):
    data = make(batch_size=5, train_portion=portion)
    batches = list(itertools.chain.from_iterable(map(data.epoch, range(3))))
    for part in ("train", "validation"):
        half = getattr(data, f"{part}_labels")
        passes = labels(batches, part)
        passes = passes[: len(passes) // len(half) * len(half)].reshape(-1, len(half))
        assert len(passes) >= 3
        for one in passes:
            assert sorted(one) == sorted(half)
        assert (passes[0] != passes[1]).any()


def test_what_fills_no_batch_is_left_out_of_that_pass():
    passes = [labels(make().epoch(number)) for number in range(5)]  # 25 images, 6 batches of 4
    assert {len(np.unique(numbers)) for numbers in passes} == {24}
    assert len(np.unique(passes)) == 25


def test_the_halves_never_mix_and_have_orders_of_their_own():
    data = make()
    batches = list(itertools.chain.from_iterable(map(data.epoch, range(4))))
    assert set(labels(batches)) == set(data.train_labels)
    assert set(labels(batches, "validation")) == set(data.validation_labels)
    places = [
        [np.flatnonzero(half == number)[0] for number in labels(batches, part)]
        for part, half in (("train", data.train_labels), ("validation", data.validation_labels))
    ]
    assert places[0] != places[1]


def test_batches_are_full():
    for batch in make().epoch(0):
        for pixels, numbers in (batch.train, batch.validation):
            assert pixels.shape == (BATCH, 6, 5, 3)
            assert numbers.shape == (BATCH,)
        assert batch.learning_rate_scale == 1


def test_seeds_differ_and_repeat():
    assert_same_batches(make().epoch(3), make().epoch(3))
    assert (labels(make().epoch(0)) != labels(make(seed=2).epoch(0))).any()
    assert make(seed=-1).steps(0) == 6


@pytest.mark.parametrize("steps_per_epoch", [0, 4, 20])
def test_steps_counts_the_batches(steps_per_epoch):
    data = make(steps_per_epoch=steps_per_epoch)
    assert [data.steps(epoch) for epoch in range(3)] == [steps_per_epoch or 6] * 3
    assert len(list(data.epoch(2))) == data.steps(2)


@pytest.mark.parametrize("steps_per_epoch", [4, 6, 20])
def test_short_epochs_partition_the_passes(steps_per_epoch):
    passes, short = (
        make(train_portion=0.6),
        make(train_portion=0.6, steps_per_epoch=steps_per_epoch),
    )
    sequence = itertools.chain.from_iterable(passes.epoch(number) for number in itertools.count())
    expected = list(itertools.islice(sequence, 3 * steps_per_epoch))
    assert_same_batches(itertools.chain.from_iterable(map(short.epoch, range(3))), expected)
    starts = [step for step, batch in enumerate(expected) if batch.starts_pass]
    assert starts == list(range(0, 3 * steps_per_epoch, 7))


@pytest.mark.parametrize("steps_per_epoch", [0, 20])
def test_resuming_gives_the_same_batches(steps_per_epoch):
    whole = list(make(steps_per_epoch=steps_per_epoch).epoch(4))
    for start in (0, 1, 4, len(whole) - 1, len(whole), len(whole) + 1):
        resumed = make(steps_per_epoch=steps_per_epoch)  # as in a new process
        assert_same_batches(resumed.epoch(4, start), whole[start:])


def test_evaluation_is_the_other_half_in_order_as_it_is():
    images = make_images()
    data = make(images, evaluation_batch_size=10)
    batches = list(data.evaluation())
    assert [len(numbers) for _, numbers in batches] == [10, 10, 5]
    pixels, numbers = (np.concatenate(part) for part in zip(*batches, strict=True))
    np.testing.assert_array_equal(numbers, data.validation_labels)
    assert (pixels.dtype, numbers.dtype) == (np.float32, np.int32)
    expected = (images.images[numbers] - data.mean) / data.std
    np.testing.assert_allclose(pixels, expected, atol=1e-5)
    assert data.evaluation_batch_size == 10


def test_a_sample_is_the_evaluation_in_a_random_order_always_the_same():
    images = make_images()
    runs = [make(images, evaluation_batch_size=10, seed=seed) for seed in (1, 2)]
    first, again, other = (list(data.sample()) for data in (runs[0], *runs))
    numbers = np.concatenate([numbers for _, numbers in first])
    validation = runs[0].validation_labels
    assert numbers.tolist() != validation.tolist()
    assert sorted(numbers) == sorted(validation)
    for batches in (again, other):
        np.testing.assert_array_equal(np.concatenate([n for _, n in batches]), numbers)
    plain = (images.images[numbers] - runs[0].mean) / runs[0].std
    np.testing.assert_allclose(np.concatenate([p for p, _ in first]), plain, atol=1e-5)


def test_description():
    assert make(train_portion=0.6).description() == {
        "dataset": "numbers",
        "image_shape": [6, 5, 3],
        "classes": 50,
        "train_images": 30,
        "validation_images": 20,
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, "Batch sizes of 0 and 256"),
        ({"evaluation_batch_size": 0}, "Batch sizes of 4 and 0"),
        ({"train_portion": 1.0}, "between 0 and 1"),
        ({"crop_padding": -1}, "crop_padding of -1"),
        ({"steps_per_epoch": -1}, "-1 steps per epoch"),
        ({"train_examples": 51}, r"numbers has 50 training images, not 51; .* from 1 to 50"),
        ({"train_examples": -1}, "not -1"),
        ({"batch_size": 26}, r"training half of numbers has 25 images.* 26; use a smaller --batch"),
        ({"train_portion": 0.95}, "validation half of numbers has 3 images"),
        ({"train_examples": 7}, "training half of numbers has 3 images"),
    ],
)
def test_errors(settings, words):
    with pytest.raises(UserError, match=words):
        make(**settings)


def test_joint_passes_cut_all_images_into_halves_anew():
    data, apart = make(joint=True), make()
    assert data.steps(0) == 50 // (2 * BATCH) == apart.steps(0)
    passes = [(labels(data.epoch(e), "train"), labels(data.epoch(e), "validation")) for e in (0, 1)]
    for train, validation in passes:
        assert len({*train, *validation}) == 2 * BATCH * data.steps(0), "each image once a pass"
    assert set(passes[0][0]) != set(passes[1][0]), "another half"
    fixed = [set(labels(apart.epoch(e))) for e in range(3)]
    assert not set.union(*fixed) & set(apart.validation_labels)
    assert_same_batches(data.epoch(1, 2), list(data.epoch(1))[2:])
    np.testing.assert_array_equal(
        np.concatenate([part[1] for part in data.evaluation()]), apart.validation_labels
    )


@pytest.mark.parametrize("part", ["train", "validation"])
def test_squares_are_lost_at_a_rate_that_rises_to_the_last_epoch(part):
    """In epochs 0, 1, 2 of 3 with probabilities 0, 0.4, 0.8, and after them as in the last."""
    plain, cut = make(), make(cutout=3, cutout_rate=0.8, epochs=3)
    for epoch, rate in enumerate((0.0, 0.4, 0.8, 0.8)):
        steps = range(epoch * plain.steps(epoch), (epoch + 1) * plain.steps(epoch))
        for step, ours, other in zip(steps, cut.epoch(epoch), plain.epoch(epoch), strict=True):
            images, numbers = getattr(ours, part)
            whole, expected_numbers = getattr(other, part)
            centres = augmentation.draw_centres(
                sub_seed(1, part, "cutout"), np.int64(step), BATCH, (6, 5)
            )
            chosen = augmentation.draw_chosen(
                sub_seed(1, part, "cutout_rate"), np.int64(step), BATCH, np.float64(rate)
            ).numpy()
            expected = np.where(
                chosen[:, None, None, None], augmentation.cut_out(whole, centres, 3), whole
            )
            np.testing.assert_array_equal(images, expected)
            np.testing.assert_array_equal(numbers, expected_numbers)
            assert rate or not chosen.any()


def test_with_a_larger_rate_the_same_images_are_chosen_and_more():
    few, many = (
        augmentation.draw_chosen(7, np.int64(3), 20_000, np.float64(rate)).numpy()
        for rate in (0.2, 0.5)
    )
    assert (many >= few).all()
    # The standard deviations are 0.0028 and 0.0035.
    assert few.mean() == pytest.approx(0.2, abs=0.015)
    assert many.mean() == pytest.approx(0.5, abs=0.018)


def test_batches_with_squares_can_be_gone_to_directly():
    settings = {"cutout": 3, "cutout_rate": 1.0, "epochs": 2}
    whole = list(make(**settings).epoch(1))
    assert_same_batches(whole[2:], make(**settings).epoch(1, 2))
