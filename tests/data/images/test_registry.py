import io
import os

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds
from tensorflow_datasets.core import registered

from tf_darts.data import own_sets
from tf_darts.data.images import registry as images
from tf_darts.data.images import tfds as tfds_images
from tf_darts.data.images.image_set import ImageSet, all_square, square
from tf_darts.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3)).astype(np.uint8)
LABELS = [1, 0, 1, 1, 0]
IMAGE = tfds.features.Image(shape=(6, 4, 3), encoding_format="png")
ANY_IMAGE = tfds.features.Image(shape=(None, None, 3), encoding_format="png")
CLASSES = tfds.features.ClassLabel(names=["cat", "dog"])


def prepare(folder, image=IMAGE, label=CLASSES, keys=("image", "label"), pixels=PIXELS, **settings):
    """Leaves a prepared set named `pets` there, of which TFDS has no code.

    A split's labels may be given as `splits={name: labels}`.
    """
    labels = settings.get("labels", LABELS)
    splits = settings.get("splits", {settings.get("split", "train"): labels})

    with registered.skip_registration():

        class Pets(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                features = tfds.features.FeaturesDict({"image": image, "label": label})
                return tfds.core.DatasetInfo(
                    builder=self, features=features, supervised_keys=keys, disable_shuffling=True
                )

            def _split_generators(self, manager):
                return {name: self._generate_examples(of) for name, of in splits.items()}

            def _generate_examples(self, labels):
                for number, pair in enumerate(zip(pixels, labels, strict=True)):
                    yield number, dict(zip(("image", "label"), pair, strict=True))

    Pets(data_dir=folder).download_and_prepare()
    assert "pets" not in tfds.list_builders()


@pytest.fixture
def offline(monkeypatch):
    asked = []

    def fail(url, **settings):
        assert settings["timeout"] <= 10
        asked.append(url)
        raise requests.ConnectionError("a long story")

    monkeypatch.setattr(requests, "get", fail)
    return asked


def test_image_set_shape():
    assert ImageSet("pets", PIXELS, np.array(LABELS), ("cat", "dog")).shape == (6, 4, 3)


def test_square_crops_the_centre_of_the_longer_side():
    np.testing.assert_array_equal(square(PIXELS, 4), PIXELS[:, 1:5])
    lying = PIXELS[0].swapaxes(0, 1)
    np.testing.assert_array_equal(square(lying, 4), lying[:, 1:5])


def test_square_averages():
    checks = np.indices((64, 96)).sum(0)[..., np.newaxis] % 2 * 255
    small = square(checks.astype(np.uint8), 8).numpy()
    assert small.shape == (8, 8, 1)
    assert small.dtype == np.uint8
    np.testing.assert_allclose(small[1:-1, 1:-1], 127.5, atol=2)  # without antialiasing 0 or 255


@pytest.mark.parametrize("size", [1, 3, 5, 31])
def test_square_sizes(size):
    assert square(PIXELS, size).shape == (5, size, size, 3)


def test_all_images_of_a_set_are_scaled_a_few_at_a_time():
    many = np.random.default_rng(0).integers(0, 256, (150, 6, 4, 3)).astype(np.uint8)
    np.testing.assert_array_equal(all_square("", many, 5), square(many, 5))


@pytest.mark.parametrize("name", ["digits", "own"])
def test_so_large_that_they_do_not_fit_they_are_refused_before_one_is_scaled(name, monkeypatch):
    monkeypatch.setitem(own_sets.IMAGES, "own", lambda *_: (PIXELS, LABELS, ("cat", "dog")))
    with pytest.raises(UserError, match=rf"^--dataset={name}: \d+ images of 4000000x4000000x. are"):
        images.load(name, image_size=4_000_000)


def test_digits():
    made = images.load("digits")
    assert made.name == "digits"
    assert made.images.shape == (1500, 8, 8, 1)
    assert made.images.dtype == np.uint8
    assert (made.images.min(), made.images.max()) == (0, 255)
    assert made.labels.dtype == np.int32
    assert made.classes == tuple("0123456789")
    assert np.bincount(made.labels).min() > 130
    assert images.load("digits", image_size=12).shape == (12, 12, 1)


def test_digits_held_out_for_the_test():
    made = images.load("digits", part="test")
    assert made.images.shape == (297, 8, 8, 1)
    assert np.bincount(made.labels, minlength=10).min() >= 15
    assert (made.name, made.classes) == ("digits", tuple("0123456789"))
    np.testing.assert_array_equal(made.images, images.load("digits", part="test").images)
    train = images.load("digits")
    both = np.concatenate([train.images, made.images])
    labels = np.concatenate([train.labels, made.labels])
    from sklearn.datasets import load_digits

    digits = load_digits()
    expected = np.round(digits.images * (255 / 16)).astype(np.uint8)
    key = sorted(zip(map(bytes, both), labels, strict=True))
    assert key == sorted(zip(map(bytes, expected), digits.target, strict=True))


def test_only_two_parts():
    with pytest.raises(ValueError, match="train and test, not validation"):
        images.load("digits", part="validation")


def test_digits_are_embedded(tmp_path):
    with pytest.raises(UserError, match=r"takes no --data_dir.*--dataset=folder"):
        images.load("digits", tmp_path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"data_dir": "/no/such"}, r"/no/such is not a directory; give one that exists\.$"),
        ({"image_size": -1}, "--image_size=-1: give 1 or more"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(UserError, match=words):
        images.load("digits", **settings)


@pytest.mark.slow
def test_real_cifar10(shared):
    folder = shared / "data" / "tfds"
    if not folder.is_dir():
        pytest.skip("no CIFAR-10 among the reference data")
    made = images.load("cifar10", folder)
    assert made.images.shape == (50_000, 32, 32, 3)
    assert np.bincount(made.labels).tolist() == [5000] * 10
    assert made.classes[:3] == ("airplane", "automobile", "bird")


def test_a_prepared_set_needs_no_code(tmp_path, offline):
    prepare(tmp_path)
    made = images.load("pets", tmp_path)
    assert (made.name, made.classes) == ("pets", ("cat", "dog"))
    np.testing.assert_array_equal(made.images, PIXELS)
    assert made.labels.tolist() == LABELS
    assert made.labels.dtype == np.int32
    np.testing.assert_array_equal(images.load("pets", tmp_path, 4).images, PIXELS[:, 1:5])
    assert not offline


def test_a_class_label_may_have_no_names(tmp_path):
    prepare(tmp_path, label=tfds.features.ClassLabel(num_classes=3))
    assert images.load("pets", tmp_path).classes == ("0", "1", "2")


def test_differing_sizes(tmp_path):
    prepare(tmp_path, image=ANY_IMAGE, pixels=[PIXELS[0], *PIXELS[1:, :5]])
    with pytest.raises(UserError, match="pets: the images differ in size; give --image_size=N"):
        images.load("pets", tmp_path)
    made = images.load("pets", tmp_path, 4).images
    np.testing.assert_array_equal(made[0], PIXELS[0, 1:5])
    np.testing.assert_array_equal(made[1:], PIXELS[1:, :4])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keys": None}, r"not for image classification: .*image: Image, label: ClassLabel.*None"),
        ({"label": tfds.features.Text(), "labels": "abcde"}, "label: Text"),
        (
            {
                "image": tfds.features.Image(shape=(6, 4, 3), dtype=np.uint16),
                "pixels": PIXELS.astype(np.uint16),
            },
            "8-bit images",
        ),
        ({"split": "test"}, "no split with classes named train, only test"),
        ({"labels": [0, -1, 1, -1, 0]}, "2 of the training images have no class"),
    ],
)
def test_unsuitable_sets(tmp_path, settings, words):
    prepare(tmp_path, **settings)
    with pytest.raises(UserError, match=words):
        images.load("pets", tmp_path)


NONE = [-1] * 5


@pytest.mark.parametrize(
    ("splits", "labels"),
    [
        ({"train": LABELS, "test": [0, 0, 1, 1, 1]}, [0, 0, 1, 1, 1]),
        ({"train": LABELS, "validation": [0] * 5, "test": [1] * 5}, [1] * 5),
        ({"train": LABELS, "validation": [0] * 5}, [0] * 5),
        ({"train": LABELS, "validation": [0] * 5, "test": NONE}, [0] * 5),  # as ImageNet
    ],
)
def test_the_test_part(tmp_path, splits, labels):
    prepare(tmp_path, splits=splits)
    made = images.load("pets", tmp_path, part="test")
    assert made.labels.tolist() == labels
    np.testing.assert_array_equal(made.images, PIXELS)
    assert made.classes == ("cat", "dog")
    assert images.load("pets", tmp_path, 4, part="test").shape == (4, 4, 3)
    assert images.load("pets", tmp_path).labels.tolist() == LABELS


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"train": LABELS}, "no split with classes named test or validation, only train"),
        ({"train": LABELS, "test": NONE}, "test or validation, only train, test"),
        ({"train": LABELS, "test": [0, -1, 0, 1, 1]}, "1 of the testing images have no class"),
    ],
)
def test_no_test_part(tmp_path, splits, words):
    prepare(tmp_path, splits=splits)
    assert images.load("pets", tmp_path).labels.tolist() == LABELS
    with pytest.raises(UserError, match=words):
        images.load("pets", tmp_path, part="test")


@pytest.mark.parametrize("state", ["damaged", "missing", "a directory"])
def test_the_test_split_is_not_opened_unless_asked_for(tmp_path, state):
    prepare(tmp_path, splits={"train": LABELS, "test": LABELS, "validation": LABELS})
    for split in ("test", "validation"):
        (record,) = (tmp_path / "pets" / "1.0.0").glob(f"*-{split}.tfrecord*")
        record.unlink()
        if state == "damaged":
            record.write_bytes(b"nonsense")
        elif state == "a directory":
            record.mkdir()
    np.testing.assert_array_equal(images.load("pets", tmp_path).images, PIXELS)
    with pytest.raises(UserError, match="damaged"):
        images.load("pets", tmp_path, part="test")


def test_only_the_training_split_is_asked_for(tmp_path, monkeypatch):
    prepare(tmp_path, splits={"train": LABELS, "test": LABELS, "validation": LABELS})
    asked = []
    read = tfds.core.DatasetBuilder.as_dataset
    monkeypatch.setattr(
        tfds.core.DatasetBuilder,
        "as_dataset",
        lambda self, split, **kw: asked.append(split) or read(self, split=split, **kw),
    )
    all_of = tfds_images.batches
    monkeypatch.setattr(
        tfds_images,
        "batches",
        lambda builder, image, label, split, size: (
            asked.append(split) or all_of(builder, image, label, split, size)
        ),
    )
    images.load("pets", tmp_path)
    assert asked == ["train"]
    images.load("pets", tmp_path, part="test")
    assert asked == ["train", "test", "test"]


def test_a_set_of_texts(tmp_path, offline):
    with pytest.raises(UserError, match=r"^--dataset=ag_news_subset is not for image class"):
        images.load("ag_news_subset", tmp_path)
    assert not offline  # it is seen before anything is downloaded


def test_too_large(tmp_path, monkeypatch):
    prepare(tmp_path)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 2 * PIXELS.size}.get)
    assert images.load("pets", tmp_path).shape == (6, 4, 3)
    with pytest.raises(UserError, match=r"5 images of 8x8x3 are .* GiB, more than .*--image_size"):
        images.load("pets", tmp_path, 8)


def test_damaged_prepared_copy(tmp_path):
    prepare(tmp_path)
    (record,) = (tmp_path / "pets" / "1.0.0").glob("*tfrecord*")
    record.write_bytes(record.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"pets/1\.0\.0: the prepared copy is damaged .* delete"):
        images.load("pets", tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cifar", r"^--dataset=cifar .*\(Dataset cifar not found\); perhaps you mean cifar10 or"),
        ("CIFAR-10", r"\(Parsing .* failed\); perhaps you mean cifar10"),
        ("digit", "perhaps you mean digits"),
        ("qqqqqqqq", r"not found\); use digits, folder or one of https.*--data_dir=DIR"),
        ("own:name", r"\(Namespace own not found\. .*\); use"),
        ("cifar10:9.0.0", r"only: 3\.0\.2\); use"),
    ],
)
def test_unknown_names(tmp_path, name, words):
    with pytest.raises(UserError, match=words):
        images.load(name, tmp_path)


def test_without_a_network(tmp_path, offline, monkeypatch):
    with pytest.raises(UserError) as caught:
        images.load("fashion_mnist", tmp_path)
    (host,) = {url.split("/")[2] for url in offline}
    assert str(caught.value) == (
        f"TFDS could not get fashion_mnist into {tmp_path} (no connection to {host},"
        " ConnectionError); prepare it by hand with tfds build fashion_mnist --data_dir=DIR and"
        " give --data_dir=DIR, or use --dataset=digits, which needs no download."
    )


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (tfds.download.DownloadError("HTTP code: 404.\nand more"), r"\(HTTP code: 404\)"),
        (ModuleNotFoundError("No module named 'cv2'"), "cv2"),
        (NotImplementedError(), "NotImplementedError"),
    ],
)
def test_a_download_that_fails(tmp_path, monkeypatch, failure, reason):
    def fail(self, **settings):
        raise failure

    answer = requests.Response()
    answer.raw = io.BytesIO()
    monkeypatch.setattr(requests, "get", lambda *args, **settings: answer)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(UserError, match=reason):
        images.load("fashion_mnist", tmp_path)


def test_files_to_be_downloaded_by_hand(tmp_path, offline):
    with pytest.raises(UserError) as caught:
        images.load("imagenet2012", tmp_path, 32)
    message = str(caught.value)
    assert message.startswith(
        f"imagenet2012 is not prepared in {tmp_path} and must be fetched by hand; put its files"
        f" into {tmp_path}/downloads/manual. TFDS says: manual_dir should contain two files:"
        " ILSVRC2012_img_train.tar and"
    )
    assert "https://image-net.org" in message
    assert "\n" not in message
    assert not offline
