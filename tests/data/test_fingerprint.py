import hashlib
import json
import struct

import numpy as np
import pytest
from PIL import Image

from tf_darts.data.fingerprint import (
    differences,
    fingerprint_of_images,
    fingerprint_of_text,
    part_of_images,
    part_of_words,
)
from tf_darts.data.images import registry as images
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.search_batches import ImageSearchData
from tf_darts.data.images.streamed import StreamedImageData
from tf_darts.data.images.training_batches import ImageTrainingData
from tf_darts.data.texts import registry as texts
from tf_darts.data.texts.search_batches import TextSearchData
from tf_darts.data.texts.training_batches import TextTrainingData, fingerprint_of_test
from tf_darts.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3)).astype(np.uint8)
LABELS = np.arange(40, dtype=np.int32) % 2


def image_set(pixels=PIXELS, labels=LABELS, classes=("apple", "pear"), origins=None):
    return ImageSet("fruit", pixels, labels, classes, origins)


def training(made=None, **settings):
    settings = {"batch_size": 4, "seed": 1, "validation_examples": 10} | settings
    return ImageTrainingData(made or image_set(), **settings).fingerprint()


def of_text(train=(0, 1, 2, 1), validation=(1, 2), words=("a", "b", "c")):
    parts = {"training": train, "validation": validation}
    parts = {name: part_of_words(np.array(part, np.int32)) for name, part in parts.items()}
    return fingerprint_of_text(words, parts)


def test_it_is_what_is_written_down():
    """A run of today must know its data with the code of tomorrow, on any machine."""

    def sha256(*content):
        return hashlib.sha256(b"".join(content)).hexdigest()

    assert of_text() == {
        "words": {"number": 3, "sha256": sha256(b"a\nb\nc")},
        "parts": {
            "training": {"number": 4, "sha256": sha256(struct.pack("<4i", 0, 1, 2, 1))},
            "validation": {"number": 2, "sha256": sha256(struct.pack("<2i", 1, 2))},
        },
    }
    labels = struct.pack("<3i", *LABELS[[3, 0, 5]])
    pixels = [PIXELS[number].tobytes() for number in (3, 0, 5)]
    assert image_set().part(np.array([3, 0, 5])) == {"number": 3, "sha256": sha256(labels, *pixels)}


def test_the_same_data_are_the_same():
    assert differences(of_text(), of_text()) == []
    assert differences(training(), json.loads(json.dumps(training()))) == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"train": (1, 0, 2, 1)}, "the 4 tokens of the training part are others, or reordered"),
        ({"train": (0, 1, 2)}, "the training part had 4 tokens and has now 3"),
        ({"validation": (2, 1)}, "the 2 tokens of the validation part are others, or reordered"),
        ({"words": ("a", "b")}, "the vocabulary had 3 words and has now 2"),
        (
            {"words": ("a", "c", "b")},
            "the 3 words of the vocabulary are others, or in another order",
        ),
    ],
)
def test_other_texts(other, said):
    assert differences(of_text(), of_text(**other)) == [said]


def test_other_images():
    swapped = PIXELS.copy()
    swapped[[0, 2]] = swapped[[2, 0]]
    found = differences(training(), training(image_set(swapped)))
    assert found and all("are others, or reordered" in line for line in found)
    relabelled = differences(training(), training(image_set(labels=1 - LABELS)))
    assert [line.split(" of the ")[1] for line in relabelled] == [
        "training part are others, or reordered",
        "validation part are others, or reordered",
    ]
    assert differences(training(), training(image_set(classes=("pear", "quince")))) == [
        "the classes were apple, pear and are now pear, quince"
    ]
    moved = differences(training(), training(validation_examples=12))
    assert moved[:2] == [
        "the training part had 30 images and has now 28",
        "the validation part had 10 images and has now 12",
    ]
    larger = differences(training(), training(image_set(PIXELS.repeat(2, 1), origins=PIXELS)))
    assert larger == ["the images were 4x4x3 and are now 8x4x3"]


def test_one_picture_more_names_the_parts():
    more = image_set(
        np.concatenate([PIXELS, np.full((1, 4, 4, 3), 255, np.uint8)]), np.append(LABELS, 1)
    )
    found = differences(training(), training(more, validation_examples=10))
    assert found[0] == "the training part had 30 images and has now 31"
    assert "are others, or reordered" in found[1] and len(found) == 2


def test_moments_alone():
    """The same files, of which pixels are made in another way."""
    brighter = image_set(np.clip(PIXELS, 9, 255), origins=PIXELS)
    found = differences(training(), training(brighter))
    assert [line.partition(" of the pixels was ")[0] for line in found] == [
        *("the mean", "the deviation")
    ]


def test_noise_of_a_decoder_is_no_difference():
    """Where origins are known, pixels may differ a little."""
    noisy = PIXELS.copy()
    noisy[0, 0, 0, 0] ^= 1
    assert noisy.mean() != PIXELS.mean()
    one, other = (training(image_set(p, origins=PIXELS)) for p in (PIXELS, noisy))
    assert differences(one, other) == []
    assert differences(training(), training(image_set(noisy)))


@pytest.mark.parametrize("gone", [0, 1])
def test_many_classes_are_counted(gone):
    before = [f"class{i}" for i in range(1000)]
    parts = {"training": part_of_images([], np.zeros(0, np.int32))}

    def made(classes):
        return fingerprint_of_images(classes, parts, (4, 4, 3))

    (found,) = differences(made(before), made([*before[gone:], "new"]))
    name = "gone class0; new new" if gone else "new new"
    assert found == f"there were 1,000 classes and are now {1001 - gone:,} ({name})"
    (found,) = differences(made(before), made(before[::-1]))
    assert found == "there were 1,000 classes and are now 1,000 (in another order)"


@pytest.mark.parametrize(
    "broken", [None, [], "text", {}, {"words": 3}, {"words": {}, "parts": []}, {"classes": 1}]
)
def test_what_is_no_fingerprint(broken):
    for now in (of_text(), training()):
        with pytest.raises(ValueError, match="its fingerprint of the data is broken"):
            differences(broken, now)


def test_settings_do_not_change_it():
    """Nor does the type of the numbers, nor how they are cut into batches."""
    one = training()
    for other in (
        {"dtype": "float64"},
        {"dtype": "bfloat16"},
        {"seed": 2},
        {"batch_size": 7, "steps_per_epoch": 3, "evaluation_batch_size": 5},
        {"crop_padding": 0, "flip": False, "cutout": 2},
    ):
        assert training(**other) == one
    searched = [
        ImageSearchData(image_set(), batch_size=size, seed=size, dtype=dtype, joint=joint)
        for size, dtype, joint in ((4, "float32", False), (5, "float64", True))
    ]
    assert searched[0].fingerprint() == searched[1].fingerprint() != one
    corpus = texts.load("pydoc")
    made = [
        kind(corpus, batch_size=size, seed=size, bptt=size + 4, **settings).fingerprint()
        for kind, size, settings in (
            (TextTrainingData, 3, {}),
            (TextTrainingData, 8, {"steps_per_epoch": 3}),
            (TextSearchData, 5, {}),
            (TextSearchData, 5, {"joint": True}),
        )
    ]
    assert all(each == made[0] for each in made)


def test_the_test_part_has_its_own():
    corpus = texts.load("pydoc", with_test=True)
    found = fingerprint_of_test(corpus)
    assert found["parts"]["test"]["number"] == len(corpus.test) and len(found["parts"]) == 1
    assert image_set().fingerprint({"test": None})["parts"].keys() == {"test"}


def write_fruit(root, classes=("apple", "pear"), count=6):
    for part in ("train", "test"):
        for name in classes:
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = np.random.default_rng([i, len(name)]).integers(0, 256, (8, 8, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(root / part / name / f"{i}.png")
    return root


@pytest.mark.parametrize("image_size", [0, 6])
def test_a_folder_is_known_by_its_files(tmp_path, image_size):
    root = write_fruit(tmp_path / "fruit")

    def made():
        loaded = images.load("folder", root, image_size)
        return training(loaded, validation_examples=4, batch_size=2)

    before = made()
    root = root.rename(tmp_path / "elsewhere")
    assert made() == before, "where it lies does not matter"
    (root / "train" / "apple").rename(root / "train" / "zapple")
    (line, *_) = differences(before, made())
    assert line == "the classes were apple, pear and are now pear, zapple"


def test_a_streamed_folder_is_known_by_names_and_sizes(tmp_path):
    root = write_fruit(tmp_path / "fruit")

    def made(**settings):
        settings = {"batch_size": 2, "seed": 1, "validation_examples": 4} | settings
        return StreamedImageData("folder", root, image_size=8, **settings)

    before = made().fingerprint()
    assert made(seed=2, batch_size=3, dtype="float64").fingerprint() == before
    assert before["parts"]["training"]["number"] == 8
    root = root.rename(tmp_path / "elsewhere")
    assert made().fingerprint() == before
    tested = made().test_fingerprint()
    assert tested["parts"]["test"]["number"] == 12
    other = root / "train" / "pear" / "3.png"
    other.write_bytes(other.read_bytes() + b"\0")
    assert len(differences(before, made().fingerprint())) == 1
    assert made().test_fingerprint() == tested
    (root / "train" / "pear" / "3.png").unlink()
    assert "training part had 8 images and has now 7" in str(
        differences(before, made().fingerprint())
    )


def test_tfds_images_in_memory_and_streamed(tmp_path, prepare_photos):
    def in_memory(folder, size):
        return images.load("photos", folder, size).fingerprint({"training": None})

    def streamed(folder, **settings):
        settings = {"batch_size": 2, "seed": 1, "validation_examples": 4} | settings
        return StreamedImageData("photos", folder, image_size=8, **settings).fingerprint()

    for name, count in (("one", 12), ("again", 12), ("other", 13)):
        prepare_photos(tmp_path / name, {"train": [i % 3 for i in range(count)], "test": [0, 1, 2]})
    for made in (lambda folder: in_memory(folder, 8), streamed):
        one, again, other = (made(tmp_path / name) for name in ("one", "again", "other"))
        assert one == again
        assert differences(one, other)[0] == (
            f"the training part had {one['parts']['training']['number']} images and has now"
            f" {one['parts']['training']['number'] + 1}"
        )
    # Whatever the size to which they are scaled, they are the same pictures.
    parts = [in_memory(tmp_path / "one", size)["parts"] for size in (8, 12)]
    assert parts[0] == parts[1]


def test_a_picture_that_is_gone(tmp_path):
    root = write_fruit(tmp_path / "fruit")
    data = StreamedImageData(
        "folder", root, image_size=8, batch_size=2, seed=1, validation_examples=4
    )
    (root / "train" / "pear" / "3.png").unlink()
    with pytest.raises(UserError, match=r"3\.png: cannot read this image \(No such file"):
        data.fingerprint()


def test_texts_from_a_report(unpacked_case):
    folder = unpacked_case("V15_texts")

    def made(name):
        corpus = texts.load("text", folder / name)
        return TextTrainingData(corpus, batch_size=4, seed=1).fingerprint()

    plain = made("t0_plain")
    assert differences(plain, made("t9_reordered")) == [
        "the 61 words of the vocabulary are others, or in another order"
    ]
    assert differences(plain, made("t9_more"))[0] == ("the vocabulary had 61 words and has now 64")


def test_classes_from_a_report(unpacked_case):
    folder = unpacked_case("V14_class_to_rename") / "V14"
    before = training(images.load("folder", folder), validation_examples=2, batch_size=2)
    (folder / "train" / "apple").rename(folder / "train" / "zapple")
    after = training(images.load("folder", folder), validation_examples=2, batch_size=2)
    assert differences(before, after)[0] == (
        "the classes were apple, pear, plum and are now pear, plum, zapple"
    )
