"""What is planted, and that nothing else says anything of the class."""

import numpy as np
import pytest

from tf_darts.data.images import planted
from tf_darts.data.images import registry as images
from tf_darts.data.images.planted_answer import ANSWER, DISTANCES, SIDE
from tf_darts.errors import UserError


def sides(fields, distance):
    """How many pairs of pixels lie to the right of one another so far, less those to the left."""
    below = np.roll(fields, -distance, axis=2)
    return sum(
        sign * np.sum(fields & np.roll(below, -sign * distance, axis=3), axis=(2, 3), dtype=int)
        for sign in (1, -1)
    )


def fields_of(made):
    """[images, fields, rows, columns], true where it is bright."""
    halves = np.split(made.images > 0, 2, axis=2)
    return np.stack([half[..., channel] for half in halves for channel in range(3)], axis=1)


def bits_of(made):
    return made.labels[:, np.newaxis] >> np.arange(6)[::-1] & 1


def test_the_images_are_the_same_ones_always():
    made = images.load("planted")
    assert made.images.shape == (8192, 16, 32, 3) and made.images.dtype == np.uint8
    np.testing.assert_array_equal(np.unique(made.images), [0, 255])
    assert made.labels.dtype == np.int32 and made.classes[5] == "000101"
    assert np.bincount(made.labels).min() > 80 and len(made.classes) == 64
    np.testing.assert_array_equal(images.load("planted").images, made.images)
    test = images.load("planted", part="test")
    assert test.images.shape == (2048, 16, 32, 3)
    assert not {i.tobytes() for i in test.images} & {i.tobytes() for i in made.images}


def test_the_pair_of_the_answer_says_the_bit_and_no_other_does():
    made = images.load("planted")
    fields, bits = fields_of(made), bits_of(made)
    pixels = fields.sum(axis=(2, 3))
    assert pixels.min() >= 4 and pixels.max() == 8 and (pixels == 8).mean() > 0.8
    for distance in DISTANCES:
        right = sides(fields, distance)
        for field, answer in enumerate(ANSWER):
            agree = np.mean(np.sign(right[:, field]) * (2 * bits[:, field] - 1))
            if distance == answer:
                assert agree > 0.75, "others stand there by accident now and then"
            else:
                assert abs(agree) < 4 / np.sqrt(len(bits))
    # Nor do single pixels.
    for field in range(6):
        lit = [fields[bits[:, field] == bit, field].mean(axis=0) for bit in (0, 1)]
        share = 8 / SIDE**2
        assert np.abs(lit[0] - lit[1]).max() < 6 * np.sqrt(share * 2 / len(bits) * 2)


def test_each_distance_is_seen_by_taps_of_its_own_only():
    for taps in DISTANCES:
        seen = {k * taps % SIDE for k in (-2, -1, 1, 2)}
        others = [d for d in DISTANCES if d != taps]
        assert taps in seen and not seen & {sign * d % SIDE for d in others for sign in (1, -1)}


def test_no_operation_is_right_for_more_than_two_fields():
    assert {ANSWER.count(distance) for distance in DISTANCES} == {1, 2}


@pytest.mark.parametrize("given", [{"data_dir": "DIR"}, {"image_size": 8}])
def test_it_takes_no_directory_and_no_size(tmp_path, given):
    given = {"data_dir": tmp_path} if "data_dir" in given else given
    with pytest.raises(UserError, match=r"takes no --(data_dir|image_size); leave it out\.$"):
        images.load("planted", **given)
    assert len(planted.CLASSES) == 64
