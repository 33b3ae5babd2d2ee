"""Runs that know their data: begun with some, gone on with, tested, exported with others."""

import json
import random
import shutil
import types

import numpy as np
import pytest
from PIL import Image

import tf_darts
from tf_darts.cells.genotype import ConvolutionalGenotype, RecurrentGenotype
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.runs.export_tasks import export_task
from tf_darts.runs.opening import record_or_check_data
from tf_darts.runs.training_tasks import training_task
from tf_darts.training.finished import FinishedTraining

TEXT = {
    "dataset": "text",
    "accelerate": "off",  # where nothing is compiled, the clear forms are the fast ones
    "units": 8,
    "batch_size": 4,
    "bptt": 6,
    "epochs": 1,
    "steps_per_epoch": 1,
    "evaluation_batch_size": 36,
}
TRAIN = TEXT | {"test_batch_size": 36, "averaging_patience": 0, "learning_rate": 1.0}
IMAGES = {
    "dataset": "folder",
    "channels": 2,
    "layers": 3,
    "batch_size": 4,
    "epochs": 1,
    "steps_per_epoch": 1,
    "validation_examples": 6,
    "auxiliary_weight": 0.0,
    "cutout": 0,
}
CONVOLUTIONAL = ConvolutionalGenotype.from_dict(
    {
        "normal": [["skip_connect", 0], ["skip_connect", 1]],
        "normal_concat": [2],
        "reduce": [["skip_connect", 0], ["skip_connect", 1]],
        "reduce_concat": [2],
    }
)
RECURRENT = RecurrentGenotype.from_dict({"recurrent": [["tanh", 0]], "concat": [1]})
REFUSED = "these are not the data that this run learnt from: "


def write_texts(folder, change=list):
    folder.mkdir(exist_ok=True)
    draws = random.Random(0)
    words = [f"w{i}" for i in range(20)]
    for part, count in (("train", 60), ("valid", 30), ("test", 30)):
        lines = [" ".join(draws.choices(words, k=5)) for _ in range(count)]
        lines = [" ".join(words), *lines] if part == "train" else lines
        lines = change(lines) if part == "train" else lines
        (folder / f"{part}.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_fruit(folder, classes=("apple", "pear", "plum")):
    for part in ("train", "test"):
        for number, name in enumerate(classes):
            (folder / part / name).mkdir(parents=True)
            for i in range(6):
                pixels = np.random.default_rng([number, i]).integers(0, 256, (8, 8, 3))
                file = folder / part / name / f"{i}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(file)
    return folder


def contents(path):
    """All files of a run but its lock and what TensorFlow's event writers hold open."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != ".lock"
    }


@pytest.fixture(autouse=True)
def _eagerly(eagerly, uncounted, undrawn):
    """What the networks compute is not the matter."""


@pytest.fixture
def texts(tmp_path):
    return write_texts(tmp_path / "texts")


@pytest.fixture(scope="module")
def trained_on_texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    data = write_texts(folder / "texts")
    tf_darts.train(RECURRENT, data_dir=data, run_dir=folder / "run", **TRAIN)
    return folder / "run"


@pytest.fixture
def text_run(trained_on_texts, tmp_path):
    return shutil.copytree(trained_on_texts, tmp_path / "run")


@pytest.fixture(scope="module")
def trained_on_fruit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    data = write_fruit(folder / "fruit")
    tf_darts.train(CONVOLUTIONAL, data_dir=data, run_dir=folder / "run", **IMAGES)
    return folder / "run"


@pytest.fixture
def fruit_run(trained_on_fruit, tmp_path):
    return shutil.copytree(trained_on_fruit, tmp_path / "run")


CHANGES = {
    "another order of lines": (
        lambda lines: lines[:1] + lines[:0:-1],
        "the 381 tokens of the training part are others, or reordered",
    ),
    "a few words more": (
        lambda lines: [*lines, "brandnew words"],
        "the vocabulary had 21 words and has now 23",
    ),
    "another first line": (
        lambda lines: [" ".join(lines[0].split()[::-1]), *lines[1:]],
        "the 21 words of the vocabulary are others, or in another order",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_training_on_texts(text_run, tmp_path, change):
    function, said = CHANGES[change]
    other = write_texts(tmp_path / "other", function)
    before = contents(text_run)
    for again in (
        lambda: tf_darts.train(RECURRENT, data_dir=other, run_dir=text_run, **TRAIN),
        lambda: tf_darts.test(text_run, data_dir=other),
    ):
        with pytest.raises(UserError) as e:
            again()
        assert str(e.value).startswith(f"--data_dir={other}: {REFUSED}{said}")
        assert contents(text_run) == before


def test_every_worker_compares(texts, tmp_path):
    """Only the chief writes; the others have data of their own, which must be the same."""

    class Worker:
        met = 0

        def __init__(self, is_chief):
            self.is_chief = is_chief

        def barrier(self):
            Worker.met += 1

    def keep(folder, is_chief, path):
        given = {"mode": "train", "genotype": "darts_v2", "data_dir": str(folder)}
        config = configure(given | TEXT | {"run_dir": str(run)})
        data = training_task(config, RECURRENT).data
        opened = types.SimpleNamespace(path=path)
        record_or_check_data(opened, data, config, Worker(is_chief), data.assets())

    run, scratch = tmp_path / "run", tmp_path / "scratch"
    run.mkdir(), scratch.mkdir()
    keep(texts, True, run)
    before = contents(run)
    assert before.keys() == {"data.json", "vocabulary.txt"}
    keep(write_texts(tmp_path / "same"), False, scratch)
    with pytest.raises(UserError, match=REFUSED):
        keep(write_texts(tmp_path / "other", lambda lines: lines[::-1]), False, scratch)
    assert contents(run) == before and contents(scratch) == {} and Worker.met == 3


def test_the_same_texts_elsewhere_are_the_same(text_run, tmp_path):
    moved = write_texts(tmp_path / "moved")
    tf_darts.train(RECURRENT, data_dir=moved, run_dir=text_run, **TRAIN)
    scores = tf_darts.test(text_run, data_dir=moved)
    kept = json.loads((text_run / "test.json").read_text())
    assert kept["data"]["parts"]["test"]["number"] == 180
    # It is kept: nothing is read to answer it.
    assert tf_darts.test(text_run, data_dir=tmp_path / "nowhere") == scores


def test_the_advice_of_another_run_is_taken(text_run, tmp_path):
    other = write_texts(tmp_path / "other", lambda lines: lines[:1] + lines[:0:-1])
    with pytest.raises(UserError, match=r"or train on these in another --run_dir\.$"):
        tf_darts.test(text_run, data_dir=other)
    tf_darts.train(RECURRENT, data_dir=other, run_dir=tmp_path / "another", **TRAIN)
    assert tf_darts.test(tmp_path / "another", data_dir=other)["loss"] > 0


def test_an_old_training_on_texts(text_run, texts, tmp_path):
    """From before there were fingerprints: it goes on, and is left as it is."""
    file = text_run / "data.json"
    document = json.loads(file.read_text())
    del document["fingerprint"]
    file.write_text(json.dumps(document))
    before = file.read_bytes()
    tf_darts.train(RECURRENT, data_dir=texts, run_dir=text_run, **TRAIN)
    more = write_texts(tmp_path / "more", lambda lines: [*lines, "brandnew words"])
    for again in (
        lambda: tf_darts.train(RECURRENT, data_dir=more, run_dir=text_run, **TRAIN),
        lambda: tf_darts.test(text_run, data_dir=more),
    ):
        with pytest.raises(UserError, match=f"{REFUSED}vocabulary was 21 and is now 23"):
            again()
    assert file.read_bytes() == before


def test_a_class_that_was_renamed(fruit_run, tmp_path):
    other = write_fruit(tmp_path / "other", ("apple", "pear", "aaa"))
    before = contents(fruit_run)

    def representative():
        training = FinishedTraining.open(str(fruit_run))
        try:
            export_task(training, str(other)).representative()
        finally:
            training.run.close()

    for again in (
        lambda: tf_darts.train(CONVOLUTIONAL, data_dir=other, run_dir=fruit_run, **IMAGES),
        lambda: tf_darts.test(fruit_run, data_dir=other),
        representative,
    ):
        with pytest.raises(UserError) as e:
            again()
        assert str(e.value).startswith(
            f"--data_dir={other}: {REFUSED}the classes were apple, pear, plum and are now aaa,"
            " apple, pear; "
        )
        assert contents(fruit_run) == before
    right = write_fruit(tmp_path / "right")
    tf_darts.test(fruit_run, data_dir=right)
    tested = json.loads((fruit_run / "test.json").read_text())["data"]
    assert tested["classes"] == ["apple", "pear", "plum"]
    assert tested["parts"]["test"]["number"] == 18


@pytest.mark.slow
def test_a_search(texts, tmp_path):
    run = tmp_path / "search"
    settings = TEXT | {"hypergradient": "first_order", "bptt": 4}
    settings |= {"operations": "tanh,identity", "gap_epochs": 0}
    tf_darts.search(data_dir=texts, run_dir=run, **settings)
    before = contents(run)
    for change, said in CHANGES.values():
        write_texts(texts, change)
        with pytest.raises(UserError, match=REFUSED + said):
            tf_darts.search(data_dir=texts, run_dir=run, **settings)
    assert contents(run) == before
    write_texts(texts)
    tf_darts.search(data_dir=texts, run_dir=run, **settings)


@pytest.mark.slow
def test_a_study(texts, tmp_path):
    run = tmp_path / "study"

    def select():
        settings = {
            name: v for name, v in TRAIN.items() if name not in ("dataset", "test_batch_size")
        }
        return tf_darts.select(
            dataset="text",
            data_dir=texts,
            run_dir=run,
            candidates="random",
            count=1,
            **{"train_settings": settings},
        )

    ranking = select().ranking
    before = contents(run)
    for change, said in CHANGES.values():
        write_texts(texts, change)
        with pytest.raises(UserError, match=REFUSED + said):
            select()
    assert contents(run) == before
    write_texts(texts)
    assert select().ranking == ranking
