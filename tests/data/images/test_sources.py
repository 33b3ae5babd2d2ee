import collections

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_darts.data.images import sources as encoded_images
from tf_darts.data.images import tfds as tfds_images
from tf_darts.data.images.sources import FileImages, TfdsImages
from tf_darts.data.pipelines import options
from tf_darts.errors import UserError


@pytest.fixture(scope="module")
def photos(tmp_path_factory, prepare_photos):
    """Sixty examples in five files of twelve each."""
    folder = tmp_path_factory.mktemp("photos")
    prepare_photos(folder, {"train": 60}, shards=5)
    return tfds_images.prepare("photos", folder)


@pytest.fixture
def small_steps(monkeypatch):
    """Groups of two files and chunks of seven examples, so that there are several."""
    monkeypatch.setattr(encoded_images, "_PARALLEL_SHARDS", 2)
    monkeypatch.setattr(encoded_images, "_CHUNK", 7)


@pytest.fixture(params=["few shards", "many shards"])
def shards(request, monkeypatch, small_steps):
    monkeypatch.setattr(encoded_images, "_MANY_SHARDS", 99 if request.param == "few shards" else 5)


def labels(dataset):
    # As pipelines are run; with TensorFlow's own options each would be waited for when it is done.
    return [int(label) for _, label in dataset.with_options(options())]


def test_ordered(photos):
    images = TfdsImages(photos, "train")
    assert images.count == 60
    pairs = list(images.ordered())
    expected = list(photos.builder.as_dataset(split="train"))
    assert [int(label) for _, label in pairs] == [int(example["label"]) for example in expected]
    encoded, label = pairs[0]
    assert (encoded.dtype, label.dtype, encoded.shape) == (tf.string, tf.int32, ())
    np.testing.assert_array_equal(tf.io.decode_jpeg(encoded), expected[0]["image"])


@pytest.mark.parametrize("number", range(4))
def test_a_pass_has_every_example_once(photos, shards, number):
    made = labels(TfdsImages(photos, "train").shuffled(1, number, 0))
    assert sorted(made) == list(range(60))


def test_pairs_belong_together(photos, shards, photograph):
    for encoded, label in TfdsImages(photos, "train").shuffled(1, 0, 0):
        number = int(label)
        assert encoded.numpy() == photograph(number, (40 + number % 10, 30))


def test_starting_anywhere_gives_the_rest(photos, shards):
    whole = labels(TfdsImages(photos, "train").shuffled(1, 2, 0))
    for start in (0, 1, 6, 7, 8, 13, 20, 24, 25, 29, 35, 47, 48, 49, 58, 59, 60):
        rest = labels(TfdsImages(photos, "train").shuffled(1, 2, start))
        assert rest == whole[start:], start


def test_many_cores_change_nothing(photos, small_steps, monkeypatch):
    """TensorFlow refuses more readers than files at a time."""
    few = labels(TfdsImages(photos, "train").shuffled(3, 0, 0))
    monkeypatch.setattr(encoded_images, "cores", lambda: 64)
    assert labels(TfdsImages(photos, "train").shuffled(3, 0, 0)) == few


def test_starting_with_the_usual_sizes(photos):
    whole = labels(TfdsImages(photos, "train").shuffled(1, 2, 0))
    assert labels(TfdsImages(photos, "train").shuffled(1, 2, 33)) == whole[33:]


def test_files_before_the_start_are_not_opened(photos, shards, monkeypatch):
    made = TfdsImages(photos, "train").shuffled(1, 2, 50)
    shuffled = TfdsImages(photos, "train")
    order = encoded_images._random(1, 2).permutation(5)
    for place in order[:4]:  # 48 examples, two whole groups of files
        shuffled._files[place] = "/no/such/file"
    assert labels(shuffled.shuffled(1, 2, 50)) == labels(made)
    with pytest.raises(tf.errors.NotFoundError):
        labels(shuffled.shuffled(1, 2, 47))


def test_orders_repeat_and_differ(photos, shards):
    images = TfdsImages(photos, "train")
    orders = [
        tuple(labels(images.shuffled(seed, number, 0)))
        for seed, number in ((1, 0), (1, 1), (2, 0), (-1, 0), (1, 0))
    ]
    assert orders[0] == orders[4]
    assert len(set(orders)) == 4


def test_the_order_does_not_depend_on_the_global_seed(photos, small_steps):
    images = TfdsImages(photos, "train")
    tf.random.set_seed(1)
    one = labels(images.shuffled(1, 0, 0))
    tf.random.set_seed(2)
    assert labels(images.shuffled(1, 0, 0)) == one


@pytest.mark.parametrize("files", [1, 5])
def test_chunks_are_made_of_other_examples_in_every_pass(
    tmp_path, prepare_photos, small_steps, files
):
    prepare_photos(tmp_path, {"train": 40}, shards=files)
    images = TfdsImages(tfds_images.prepare("photos", tmp_path), "train")
    firsts = {frozenset(labels(images.shuffled(1, number, 0).take(7))) for number in range(8)}
    assert len(firsts) > 4


@pytest.mark.slow
def test_examples_are_well_mixed(photos):
    """With everything in one chunk an example is equally likely in all places."""
    images = TfdsImages(photos, "train")
    places = collections.defaultdict(list)
    for number in range(12):
        for place, label in enumerate(labels(images.shuffled(3, number, 0))):
            places[label].append(place)
    means = np.array([np.mean(values) for values in places.values()])
    assert means.std() == pytest.approx(60 / np.sqrt(12 * 12), rel=0.35)


@pytest.mark.parametrize(
    ("split", "count"), [("train[:13]", 13), ("train[13:]", 47), ("train[20:30]", 10)]
)
def test_slices(photos, shards, split, count):
    images = TfdsImages(photos, split)
    assert images.count == count
    expected = [int(example["label"]) for example in photos.builder.as_dataset(split=split)]
    assert labels(images.ordered()) == expected
    whole = labels(images.shuffled(1, 0, 0))
    assert sorted(whole) == sorted(expected)
    assert labels(images.shuffled(1, 0, 9)) == whole[9:]


def test_other_file_formats(photos, monkeypatch):
    info = type(photos.builder.info)
    kind = type(photos.builder.info.file_format).ARRAY_RECORD
    monkeypatch.setattr(info, "file_format", property(lambda self: kind))
    with pytest.raises(UserError, match=r"prepared as array_record, .*--file_format=tfrecord"):
        TfdsImages(photos, "train")


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(30)]
    for number, path in enumerate(paths):
        Image.new("RGB", (2, 2), (number, 0, 0)).save(path)
    return FileImages(list(map(str, paths)), np.arange(30, dtype=np.int32))


def test_files_in_order(files):
    assert files.count == 30
    assert [(int(image[0, 0, 0]), int(label)) for image, label in files.ordered()] == [
        (number, number) for number in range(30)
    ]
    assert files.ordered().element_spec[1].dtype == tf.int32


@pytest.mark.parametrize("start", [0, 1, 17, 29, 30])
def test_files_shuffled(files, start):
    whole = [(int(image[0, 0, 0]), int(label)) for image, label in files.shuffled(1, 2, 0)]
    assert all(image == label for image, label in whole)
    assert sorted(whole) == [(number, number) for number in range(30)]
    assert labels(files.shuffled(1, 2, start)) == [label for _, label in whole[start:]]
    for other in ((1, 3), (2, 2)):
        assert labels(files.shuffled(*other, 0)) != [label for _, label in whole]
