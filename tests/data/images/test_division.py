import numpy as np
import pytest
from absl import logging

from tf_darts.data.images.division import divide, fixed_order, summary_line, warn_of_missing
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.search_batches import ImageSearchData
from tf_darts.data.images.training_batches import ImageTrainingData
from tf_darts.errors import UserError

CLASSES = ("common", "rare", "single")
LABELS = np.repeat(np.arange(3), [57, 4, 1]).astype(np.int32)  # of a public report


def counts(labels, numbers):
    return np.bincount(labels[numbers], minlength=3).tolist()


@pytest.mark.parametrize("train_first", [True, False])
def test_shuffled_is_cut_from_one_order(train_first):
    parts = divide(LABELS, "shuffled", train=40, validation=12, train_first=train_first)
    order = fixed_order(62)
    expected = (order[:40], order[40:52]) if train_first else (order[12:52], order[:12])
    for part, numbers in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(part, numbers)


@pytest.mark.parametrize(("train", "validation"), [(31, 31), (50, 12), (59, 3), (20, 20), (61, 1)])
def test_by_class_each_part_has_its_share(train, validation):
    parts = divide(LABELS, "by_class", train=train, validation=validation)
    assert (len(parts.train), len(parts.validation)) == (train, validation)
    assert not set(parts.train) & set(parts.validation)
    learnt, held = counts(LABELS, parts.train), counts(LABELS, parts.validation)
    assert min(learnt) >= 1 and held[2] == 0  # the single image is learnt from
    if validation > 1:
        assert held[1] >= 1
    assert held[0] == pytest.approx(validation * 57 / 62, abs=1.5)


def test_by_class_of_many_equal_classes():
    labels = np.tile(np.arange(10), 20).astype(np.int32)
    parts = divide(labels, "by_class", train=150, validation=50)
    assert np.bincount(labels[parts.train]).tolist() == [15] * 10
    assert np.bincount(labels[parts.validation]).tolist() == [5] * 10
    assert (np.diff(labels[parts.train]) != 0).any()  # mixed


def test_all_is_taken_where_all_is_asked_for():
    parts = divide(LABELS, "by_class", train=0, validation=62)
    assert sorted(parts.validation) == list(range(62))
    parts = divide(LABELS, "by_class", train=62, validation=0)
    assert sorted(parts.train) == list(range(62))


def test_given_images_validate():
    parts = divide(LABELS, "given", train=30, validation=0, user_validation_count=5)
    assert parts.validation.tolist() == [57, 58, 59, 60, 61]
    assert len(parts.train) == 30 and parts.train.max() < 57


def images(user_validation_count=0):
    pixels = np.random.default_rng(0).integers(0, 256, (62, 4, 4, 1)).astype(np.uint8)
    return ImageSet("folder", pixels, LABELS, CLASSES, user_validation_count=user_validation_count)


SMALL = {"batch_size": 2, "seed": 1, "crop_padding": 0}


def test_a_search_divides_by_class():
    data = ImageSearchData(images(), division="by_class", **SMALL)
    assert np.bincount(data.train_labels).tolist() == [28, 2, 1]
    assert np.bincount(data.validation_labels).tolist() == [29, 2]


def test_the_moments_are_those_of_the_part_that_is_learnt_from():
    pixels = images().images
    for division in ("by_class", "shuffled"):
        data = ImageTrainingData(images(), division=division, validation_examples=20, **SMALL)
        train = divide(LABELS, division, train=42, validation=20).train
        np.testing.assert_allclose(data.mean, pixels[train].mean((0, 1, 2)))


def test_a_training_validates_on_the_given_images():
    made = {"division": "given", "validation_examples": 5000, **SMALL}
    data = ImageTrainingData(images(user_validation_count=8), **made)
    assert data.validation_labels.tolist() == LABELS[-8:].tolist()
    assert len(data.train_labels) == 54
    final = ImageTrainingData(images(user_validation_count=8), train_on_all=True, **made)
    assert len(final.train_labels) == 62 and not final.validates


def test_the_given_images_of_a_search_are_for_alpha():
    data = ImageSearchData(images(user_validation_count=8), division="given", **SMALL)
    assert (len(data.train_labels), len(data.validation_labels)) == (54, 8)


def test_a_division_that_the_images_do_not_have():
    with pytest.raises(UserError, match="no validation part of its own"):
        ImageSearchData(images(), division="given", **SMALL)
    with pytest.raises(UserError, match="division=halves: not known; use one of by_class"):
        ImageSearchData(images(), division="halves", **SMALL)


def test_a_class_that_a_part_lacks_is_named(monkeypatch):
    warnings = []
    monkeypatch.setattr(logging, "warning", lambda text, *args: warnings.append(text % args))
    warn_of_missing("folder", CLASSES, {"training part": LABELS, "validation part": LABELS[:3]})
    assert warnings == [
        "folder: the validation part has no image of the class rare (and of 1 other classes); add"
        " images of it, or make the part larger."
    ]


def test_a_class_of_one_image_needs_another(monkeypatch):
    """No part can be made so large that both have it."""
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *given: said.append(text % given))
    alone = np.array([0, 0, 1])
    warn_of_missing("folder", ("a", "b"), {"half for w": alone, "half for alpha": alone[:2]})
    assert said == [
        "folder: the half for alpha has no image of the class b; it has 1 in all, and each part"
        " needs one: add images of it."
    ]


def test_one_line_tells_of_the_parts():
    line = summary_line("folder", CLASSES, {"training part": LABELS}, "1 hidden (.DS_Store)")
    assert line == (
        "folder: 62 images of 3 classes (from 1 of single to 57 of common): 62 in the training"
        " part; left out: 1 hidden (.DS_Store)."
    )
    even = summary_line("folder", ("cat", "dog"), {"test part": np.repeat([0, 1], 40)})
    assert even == "folder: 80 images of 2 classes (40 of each class): 80 in the test part."
