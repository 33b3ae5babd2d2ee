import json

import numpy as np
import pytest

from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.search_batches import ImageSearchData
from tf_darts.data.images.training_batches import ImageTrainingData
from tf_darts.errors import StateError
from tf_darts.report.learnt_data import UNKNOWN, differ, learnt_data


@pytest.fixture
def known(tmp_path):
    """A function from a fingerprint and the settings of a run to what a report knows."""

    def learnt(fingerprint, **settings):
        (tmp_path / "data.json").write_text(json.dumps({"fingerprint": fingerprint}))
        return learnt_data(tmp_path, settings)

    return learnt


def image_set(number=0, permuted=None):
    random = np.random.default_rng(number)
    images = random.integers(0, 255, (40, 4, 4, 3), np.uint8)
    labels = np.arange(40, dtype=np.int32) % 2
    if permuted is not None:
        labels = np.random.default_rng(permuted).permutation(labels)
    return ImageSet("folder", images, labels, ("a", "b"))


def trained_on(images, seed, validation=8):
    settings = {"batch_size": 4, "seed": seed, "validation_examples": validation}
    return ImageTrainingData(images, crop_padding=1, **settings).fingerprint()


def searched_on(images, seed):
    settings = {"batch_size": 4, "seed": seed, "train_portion": 0.5}
    return ImageSearchData(images, crop_padding=1, **settings).fingerprint()


@pytest.mark.parametrize("fingerprint", [trained_on, searched_on])
def test_the_same_images_are_the_same_for_all_seeds(known, fingerprint):
    first, second = (known(fingerprint(image_set(), seed)) for seed in (0, 1))
    assert first == second and first.digest
    assert not differ([first, second])
    other = known(fingerprint(image_set(1), 0))
    assert other.digest != first.digest and differ([first, other])


def test_moments_of_another_machine_are_the_same_data(known):
    found = trained_on(image_set(), 0)
    moved = {**found, "mean": [value + 0.01 for value in found["mean"]]}
    assert known(found) == known(moved)


def test_permuted_labels_are_another_draw_of_the_same_data(known):
    first, second = (
        known(searched_on(image_set(permuted=seed), seed), permute_labels=True) for seed in (0, 1)
    )
    assert first == second
    assert first.digest != known(searched_on(image_set(), 0)).digest


def test_another_division_shows_no_other_data(known):
    first, second = (
        known(trained_on(image_set(), 0, validation=n), validation_examples=n) for n in (8, 12)
    )
    assert first.digest != second.digest, "they are no group"
    assert not differ([first, second])
    assert differ([first, second, known(trained_on(image_set(1), 0), validation_examples=8)])
    assert second.sizes == "28 in the training part, 12 in the validation part"


def test_a_run_without_a_fingerprint(known, tmp_path):
    assert learnt_data(tmp_path, {}) == UNKNOWN
    (tmp_path / "data.json").write_text('{"dataset": "text", "vocabulary": 36}')
    assert learnt_data(tmp_path, {}) == UNKNOWN
    assert not differ([UNKNOWN, UNKNOWN])
    assert differ([UNKNOWN, known(trained_on(image_set(), 0))])


@pytest.mark.parametrize("fingerprint", ["words", [], {"classes": ["a"]}, {"words": 1, "parts": 2}])
def test_a_broken_fingerprint_is_one_sentence(known, fingerprint):
    with pytest.raises(StateError, match=r"data\.json: .*is broken\); restore it from a copy, or"):
        known(fingerprint)
