"""A run knows its data: what it keeps of them, what it compares, what it never writes."""

import hashlib
import json

import numpy as np
import pytest

from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.training_batches import ImageTrainingData
from tf_darts.errors import UserError
from tf_darts.runs.data_record import check_data, record_data, write_missing
from tf_darts.runtime.files import write_atomically

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3)).astype(np.uint8)


def data(classes=("apple", "pear"), pixels=PIXELS):
    images = ImageSet("fruit", pixels, np.arange(len(pixels), dtype=np.int32) % 2, classes)
    return ImageTrainingData(images, batch_size=4, seed=1, validation_examples=10)


def keep(path, made, how="--data_dir=FRUIT"):
    record_data(path, made, how, made.assets())


def contents(path):
    return {file.name: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def with_weights(path):
    (path / "checkpoints" / "latest").mkdir(parents=True)
    (path / "checkpoints" / "latest" / "ckpt-1.index").touch()
    return path


def old(path):
    """A run from before there were fingerprints."""
    made = data()
    write_atomically(path / "data.json", json.dumps(made.description()))
    write_atomically(path / "labels.txt", made.assets()["labels.txt"])
    return with_weights(path)


def test_a_new_run_keeps_them_once(tmp_path):
    keep(tmp_path, data())
    document = json.loads((tmp_path / "data.json").read_text())
    files = {"labels.txt": hashlib.sha256(b"apple\npear\n").hexdigest()}
    assert document == {
        **data().description(),
        "files": files,
        "fingerprint": data().fingerprint(),
    }
    assert (tmp_path / "labels.txt").read_text() == "apple\npear\n"
    before = contents(tmp_path)
    for path in (tmp_path, with_weights(tmp_path)):
        keep(path, data())
    assert {name: before[name] for name in before} == {
        name: content for name, content in contents(tmp_path).items() if name in before
    }


@pytest.mark.parametrize("weights", [False, True])
def test_other_data_are_refused_by_name_and_nothing_is_written(tmp_path, weights):
    keep(tmp_path, data())
    if weights:
        with_weights(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(UserError) as e:
        keep(tmp_path, data(("pear", "quince")))
    assert str(e.value) == (
        "--data_dir=FRUIT: these are not the data that this run learnt from: the classes were"
        " apple, pear and are now pear, quince; give the data as they were, or another --run_dir."
    )
    with pytest.raises(UserError, match="the 30 images of the training part are others, or reord"):
        keep(tmp_path, data(pixels=PIXELS[::-1].copy()))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: data(("pear", "quince")), "the names in labels.txt are others"),
        (lambda: data(pixels=PIXELS[:-1].copy()), "train_images was 30 and is now 29"),
        (lambda: data(pixels=PIXELS // 2), "the mean of the pixels was "),
    ],
)
def test_an_old_run_is_compared_as_far_as_it_knows(tmp_path, made, said):
    before = contents(old(tmp_path))
    keep(tmp_path, data())
    with pytest.raises(UserError, match=said):
        keep(tmp_path, made())
    assert contents(tmp_path) == before, "what it did not know is not guessed"


def test_an_old_search_knows_nothing(tmp_path):
    before = contents(with_weights(tmp_path))
    record_data(tmp_path, data(), "--dataset=fruit")
    assert contents(tmp_path) == before


def test_what_is_missing_is_written_what_is_there_stays(tmp_path):
    old(tmp_path)
    (tmp_path / "labels.txt").unlink()
    before = (tmp_path / "data.json").read_bytes()
    write_missing(tmp_path, data(), data().assets())
    assert (tmp_path / "labels.txt").read_text() == "apple\npear\n"
    assert (tmp_path / "data.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1"),
        ("null", "null in place of an object"),
        ("[]", "a list in place of"),
        ('{"dataset": "fruit"', "line 1"),
        ('{"fingerprint": {}}', "its fingerprint of the data is broken"),
        ('{"fingerprint": null}', "its fingerprint of the data is broken"),
        ('{"fingerprint": {"classes": 3, "parts": 4}}', "its fingerprint of the data is broken"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, content, said):
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(
        UserError, match=rf"data\.json: cannot be read \(.*{said}.*; restore it"
    ) as e:
        check_data(tmp_path, data(), "--data_dir=FRUIT")
    assert "\n" not in str(e.value)
    assert contents(tmp_path) == {"data.json": content.encode()}
