"""Data sets that files of others register."""

import json

import numpy as np
import pytest

from tests.support.registries import forget_members
from tf_darts.cli.members import load_members
from tf_darts.config.datasets import register_images, register_texts
from tf_darts.config.presets import configure
from tf_darts.data.images import registry as images
from tf_darts.data.texts import registry as texts
from tf_darts.errors import UserError
from tf_darts.runs.search import run_search
from tf_darts.runtime.signals import StopRequest

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
LABELS, CLASSES = np.arange(60) % 3, ("ant", "bee", "cat")


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    forget_members(monkeypatch)


def stripes(directory, part):
    return (IMAGES, LABELS, CLASSES) if part == "train" else (IMAGES[:6], LABELS[:6], CLASSES)


def lines(directory, with_test):
    parts = {"train": ["the cat sat", "the mat"] * 40, "validation": ["the cat"] * 40}
    return parts | ({"test": ["the mat"] * 40} if with_test else {})


def test_images_are_a_data_set_like_others():
    register_images("stripes", stripes, search={"flip": False}, training={"cutout": 0})
    search = configure({"mode": "search", "dataset": "stripes"})
    assert (search.space, search.flip, search.batch_size) == ("convolutional", False, 64)
    train = {"mode": "train", "dataset": "stripes", "genotype": "darts_v2"}
    assert configure(train).cutout == 0
    train_set, test_set = (images.load("stripes", part=part) for part in ("train", "test"))
    assert (train_set.images == IMAGES).all() and train_set.classes == CLASSES
    assert len(test_set.labels) == 6
    small = images.load("stripes", image_size=4)
    assert small.shape == (4, 4, 3) and (small.origins == IMAGES).all()


def test_texts_are_a_data_set_like_others():
    register_texts("nursery", lines, search={"bptt": 7})
    assert configure({"mode": "search", "dataset": "nursery"}).bptt == 7
    corpus = texts.load("nursery")
    assert corpus.test is None and len(corpus.train) == 40 * 7
    assert len(texts.load("nursery", with_test=True).test) == 40 * 3


@pytest.mark.slow
def test_a_search_of_a_file_s_data_set(eagerly, uncounted, undrawn, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import tf_darts\n"
        "def load(directory, with_test):\n"
        "    parts = ('train', 'validation', 'test')\n"
        "    return {part: ['the cat sat on the mat'] * 16 for part in parts}\n"
        "tf_darts.register_texts('mine', load, search={'epochs': 1, 'units': 8})\n"
    )
    load_members([str(file)])
    sizes = {"bptt": 4, "batch_size": 4, "steps_per_epoch": 1, "weight_learning_rate": 0.1}
    sizes["accelerate"] = "off"  # where nothing is compiled, the clear forms are the fast ones
    asked = {"mode": "search", "dataset": "mine", "hypergradient": "first_order"}
    found = run_search(configure(asked | sizes | {"run_dir": str(tmp_path / "run")}), StopRequest())
    assert len(found.history) == 1
    record = json.loads((tmp_path / "run" / "data.json").read_text())
    assert "train" in json.dumps(record)


def test_names_and_values_that_cannot_be():
    register_images("stripes", stripes)
    for name, sentence in (
        ("stripes", "the name is taken"),
        ("ptb", "the name is taken"),
        ("a/b", "letters, digits and _"),
        (3, "--dataset=3: a name is letters, digits and _"),
    ):
        with pytest.raises(UserError, match=sentence):
            register_texts(name, lines)
    with pytest.raises(UserError, match="--dataset=other: units is no setting of --mode=search"):
        register_images("other", stripes, search={"units": 3})
    with pytest.raises(UserError, match="--channels=0: out of range"):
        register_images("other", stripes, search={"channels": 0})
    for argument, setting in (("search", "dataset"), ("training", "space"), ("search", "mode")):
        with pytest.raises(UserError, match=f"{setting} cannot be the set's own; leave it out"):
            register_images("other", stripes, **{argument: {setting: "nasbench201"}})
    with pytest.raises(UserError, match="--dataset=other: not known"):
        configure({"mode": "search", "dataset": "other"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "it gives something else than images"),
        ((IMAGES, LABELS), "it gives something else than images"),
        ((IMAGES / 255, LABELS, CLASSES), "its images are float64"),
        ((IMAGES[..., 0], LABELS, CLASSES), r"its images are uint8 \[60, 8, 8\]"),
        ((IMAGES, LABELS[:5], CLASSES), r"its labels are int64 \[5\]"),
        ((IMAGES, LABELS + 0.5, CLASSES), "its labels are float64"),
        ((IMAGES, LABELS + 1, CLASSES), "its labels are 1 to 3, of 3 classes"),
    ],
)
def test_a_loader_that_gives_something_else(given, sentence):
    register_images("stripes", lambda directory, part: given)
    with pytest.raises(UserError, match=f"--dataset=stripes: {sentence}"):
        images.load("stripes")


def test_a_loader_that_fails():
    register_images("stripes", lambda directory, part: 1 / 0)
    with pytest.raises(UserError, match=r"its loader failed \(ZeroDivisionError: division by"):
        images.load("stripes")
    register_texts("nursery", lambda directory, with_test: {"train": ["a"]})
    with pytest.raises(UserError, match="gives no lines of validation"):
        texts.load("nursery")
    for number, (lines, words) in enumerate(
        [
            ("one text", "gives a str of train; it gives lists of the lines"),
            ([], "gives no lines of train"),
            (["a", 7], "gives a int among the lines of train; each line is a text"),
        ]
    ):
        name = f"wrong_{number}"
        register_texts(name, lambda directory, test, lines=lines: {"train": lines})
        with pytest.raises(UserError, match=words):
            texts.load(name)
    arrays = {part: np.array(["a b", "b a"]) for part in ("train", "validation")}
    register_texts("arrays", lambda directory, with_test: arrays)
    assert len(texts.load("arrays").train) == 6
