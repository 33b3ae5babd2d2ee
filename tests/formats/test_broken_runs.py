"""Runs whose files are broken, swapped or gone: one sentence, and nothing is written."""

import json
import re
import shutil

import numpy as np
import pytest

from tf_darts.config.export import ExportConfig
from tf_darts.data.texts import registry
from tf_darts.errors import UserError
from tf_darts.formats import saved_model
from tf_darts.runs.export import run_export
from tf_darts.runs.export_tasks import FORMATS
from tf_darts.runtime.precision import set_precision

NAMES = {"pydoc": "vocabulary.txt", "cifar10": "labels.txt"}
WORDS = ("the", "cat", "<eos>", "sat", "<unk>", "on", "mat")
PUT_BACK = r"put .* back|restore|the same command makes it again|train again|give another"


@pytest.fixture(scope="module")
def originals(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for dataset in NAMES:
        finished(folder / dataset, dataset)
    set_precision("float32")
    return folder


@pytest.fixture(params=NAMES)
def run(request, originals, tmp_path):
    """A copy of a run directory, to break."""
    return shutil.copytree(originals / request.param, tmp_path / request.param)


@pytest.fixture
def texts(originals, tmp_path, monkeypatch):
    """A copy of a language model's run, whose data can be had again."""
    words = " ".join(("the", "cat"))
    (tmp_path / "data").mkdir()
    for name, line in (("train", f"{words}\nsat <unk> on mat"), ("valid", words)):
        (tmp_path / "data" / f"{name}.txt").write_text(f"{line}\n" * 200)
    monkeypatch.setitem(registry.TEXT_DATASETS, "pydoc", registry.TEXT_DATASETS["text"])
    monkeypatch.setattr(saved_model, "_check", lambda folder: None)  # takes seconds
    return shutil.copytree(originals / "pydoc", tmp_path / "pydoc")


def export(run, **settings):
    out = run.parent / "out"
    return run_export(ExportConfig(run_dir=str(run), export_dir=str(out), **settings))


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def refused(run, **settings):
    """The sentence; nothing changes."""
    before = contents(run)
    with pytest.raises(UserError) as caught:
        export(run, **settings)
    assert contents(run) == before and not (run.parent / "out").exists()
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    return sentence


BREAK = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "null": lambda content: b"null\n",
    "a list": lambda content: b"[]\n",
    "an object": lambda content: b"{}\n",
    "a number": lambda content: b"7\n",
    "not UTF-8": lambda content: b"\xff\xfe" + content,
    "a byte flipped": lambda content: content[:4] + bytes([content[4] ^ 64]) + content[5:],
    "a line twice": lambda content: content + content.splitlines(keepends=True)[-1],
    "lines turned": lambda content: b"".join(content.splitlines(keepends=True)[::-1]),
}


@pytest.mark.parametrize(
    ("what", "how"),
    [
        (what, how)
        for what in ("data.json", "result.json", "names")
        for how in BREAK
        if (what, how) != ("data.json", "an object")  # then the data are read again
    ],
)
def test_a_broken_file(run, what, how):
    file = run / (NAMES[run.name] if what == "names" else what)
    file.write_bytes(BREAK[how](file.read_bytes()))
    sentence = refused(run)
    assert file.name in sentence and re.search(PUT_BACK, sentence)


@pytest.mark.parametrize("what", ["data.json", "result.json", "names", "test.json"])
def test_a_folder_in_place_of_a_file(run, what):
    file = run / (NAMES[run.name] if what == "names" else what)
    file.unlink(missing_ok=True)
    file.mkdir()
    assert file.name in refused(run)


WRONG = [
    ("pydoc", "vocabulary", [None, "7", 7.5, True, 0, -7, 8, [7], {}]),
    ("cifar10", "classes", [None, "3", 3.5, True, 0, 2, [3]]),
    ("cifar10", "image_shape", [None, 32, [], [32, 32], [32, 32, 0], [32, -1, 3], ["a", 1, 3]]),
    ("cifar10", "mean", [None, 1, [], [1, 2], [1, 2, "3"], [1, 2, None], [1, 2, float("nan")]]),
    ("cifar10", "std", [None, [1, 2, 0], [1, 2, -1], [1, 2, float("inf")], [1, 2, True]]),
    ("pydoc", "files", ["", [], 7, True, {}, {"vocabulary.txt": None}, {"vocabulary.txt": "00"}]),
]


@pytest.mark.parametrize(
    ("dataset", "name", "value"), [(d, n, value) for d, n, values in WRONG for value in values]
)
def test_a_wrong_description(originals, tmp_path, dataset, name, value):
    run = shutil.copytree(originals / dataset, tmp_path / dataset)
    document = json.loads((run / "data.json").read_text()) | {name: value}
    (run / "data.json").write_text(json.dumps(document))
    assert "data.json" in refused(run)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("cell", value) for value in (None, "darts_v2", -1, [], {}, {"recurrent": 7})),
        *(("dataset", value) for value in (None, 7, [], {})),
        *(("seed", value) for value in (None, "x", -1, 1.5)),
        *(("precision", value) for value in (None, "x", [])),
        *(("weight_decay", value) for value in (None, "x", -1, float("nan"))),
    ],
)
def test_a_configuration_that_cannot_be(run, name, value):
    document = json.loads((run / "config.json").read_text())
    document["settings"][name] = value
    (run / "config.json").write_text(json.dumps(document))
    assert "config.json" in refused(run)


@pytest.mark.parametrize("value", [None, 7, ["checkpoints/best"], {}])
def test_a_result_without_a_checkpoint(run, value):
    (run / "result.json").write_text(json.dumps({"checkpoint": value}))
    assert "it names no checkpoint" in refused(run)


def test_swapped_names_are_named(originals, tmp_path):
    run = shutil.copytree(originals / "cifar10", tmp_path / "cifar10")
    (run / "labels.txt").write_text("car\nplane\nbird\n")
    sentence = refused(run)
    assert f"{run / 'labels.txt'}: is not the file that the training wrote" in sentence


@pytest.mark.slow
def test_a_run_of_before_checksums(finished, tmp_path, monkeypatch):
    finished(tmp_path / "old", "pydoc", known={"files": None})
    monkeypatch.setattr(saved_model, "_check", lambda folder: None)
    (tmp_path / "old" / "vocabulary.txt").write_text("the\ncat\n<eos>\nsat\n<unk>\non\n")
    assert "does not hold 7 names" in refused(tmp_path / "old")
    (tmp_path / "old" / "vocabulary.txt").write_text("the\ncat\n<eos>\nsat\n<unk>\non\nthe\n")
    assert "a word is there twice" in refused(tmp_path / "old")
    (tmp_path / "old" / "vocabulary.txt").write_text("".join(f"{word}\n" for word in WORDS))
    assert (export(tmp_path / "old").path / "saved_model.pb").exists()


def names_alone(task, version):
    """Writes the vocabulary where a SavedModel has it, and nothing else."""
    (version.folder / "assets").mkdir()
    shutil.copy(task.names, version.folder / "assets")
    return []


@pytest.mark.slow
@pytest.mark.parametrize(
    "gone",
    [
        ["vocabulary.txt"],
        ["data.json"],
        pytest.param(["vocabulary.txt", "data.json"], marks=pytest.mark.long),
    ],
)
def test_what_is_deleted_is_made_again(texts, gone, monkeypatch):
    """As the sentences say: delete the file, and the same command makes it again."""
    if len(gone) == 1:  # a whole model is written once
        monkeypatch.setitem(FORMATS, "saved_model", names_alone)
    before = {name: (texts / name).read_text() for name in gone}
    for name in gone:
        (texts / name).unlink()
    exported = export(texts, data_dir=str(texts.parent / "data"))
    assert (exported.path / "assets" / "vocabulary.txt").read_text() == (
        "".join(f"{word}\n" for word in WORDS)
    )
    if "vocabulary.txt" in gone:
        assert (texts / "vocabulary.txt").read_text() == before["vocabulary.txt"]
    assert json.loads((texts / "data.json").read_text())["files"].keys() == {"vocabulary.txt"}


@pytest.mark.parametrize("gone", ["vocabulary.txt", "data.json"])
def test_other_data_make_nothing_again(texts, gone):
    (texts / gone).unlink()
    file = texts.parent / "data" / "train.txt"
    file.write_text(file.read_text().replace("the cat", "cat the"))
    sentence = refused(texts, data_dir=str(texts.parent / "data"))
    assert "in another order" in sentence


def test_a_description_that_says_nothing(texts):
    (texts / "data.json").write_text("{}")
    assert "data.json: does not describe its vocabulary" in refused(texts)


def test_names_with_other_letters(originals, tmp_path):
    run = shutil.copytree(originals / "cifar10", tmp_path / "cifar10")
    (run / "labels.txt").write_bytes("plane\ncar\nVögel\n".encode("latin-1"))
    assert "not UTF-8 at byte 11" in refused(run)
    assert np.isfinite(json.loads((run / "data.json").read_text())["mean"]).all()
