"""Every file of a study, broken in every way: advice that works, or the same ranking."""

import json
import re
import shutil

import pytest

from tests.support.broken_files import BREAKS, MORE_BREAKS, content_of, copied, flips, remove
from tests.support.toy_study import BLACK_BOX, SELECTION
from tf_darts.errors import UserError

FILES = {
    "config.json": "config.json",
    "oracle.json": "tuner/oracle.json",
    "trial.json": "tuner/trial_1/trial.json",
    "candidate.json": "candidates/{second}/candidate.json",
    "ranking.json": "ranking.json",
    "ranking.md": "ranking.md",
    "genotype.json": "genotype.json",
    ".lock": ".lock",
    "tuner": "tuner",
    "candidates": "candidates",
    "a candidate": "candidates/{second}",
}
TUNERS = ("oracle.json", "trial.json", "tuner")  # a selection in one process has none


def write(content):
    def change(path):
        remove(path)
        path.write_bytes(content)

    return change


def make_folder(path):
    remove(path)
    path.mkdir()
    (path / "something").touch()


def swap(path):
    """Another candidate's file, whole."""
    others = sorted(path.parent.parent.glob(f"*/{path.name}"))
    shutil.copy(next(other for other in others if other != path), path)


def other_operation(cell):
    edge = cell["recurrent"][1]
    edge[0] = "tanh" if edge[0] != "tanh" else "relu"


WAYS = BREAKS | MORE_BREAKS | flips(4)


def take_advice(sentence, directory):
    """Does what a sentence says."""
    file = re.match(r"(?:--run_dir=)?(\S+?):? ", sentence)[1].rstrip(":")
    if "remove this file" in sentence or "move this file away" in sentence:
        remove(directory.__class__(file))
    elif folder := re.search(r"move the folder (\S+) away", sentence):
        shutil.move(folder[1], directory.with_name("away"))
    elif "move this folder away" in sentence:
        shutil.move(file, directory.with_name("away"))
    elif "make room or give rights there" in sentence:
        remove(directory.__class__(file))
    else:
        assert "give an" in sentence, sentence
        return directory.with_name("another")
    return directory


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Finished studies by their mode: a copy, what the ranking was, and the second's name."""
    return {"folder": tmp_path_factory.mktemp("kept")}


@pytest.fixture
def finished(toy, kept, tmp_path):
    """A function that makes a finished study, and the file of that name in it."""

    def make(study, name):
        directory = tmp_path / "study"
        mode = study["mode"]
        if mode not in kept:
            whole = toy.run(directory, **study)
            kept[mode] = whole, toy.evaluated[1]
            shutil.copytree(directory, kept["folder"] / mode)
        else:
            shutil.copytree(kept["folder"] / mode, directory)
        whole, second = kept[mode]
        return directory, directory / FILES[name].format(second=second), whole

    return make


def is_json(name):
    return name.endswith(".json")


def check(toy, study, directory, whole):
    """Runs a study whose file was broken, and follows the advice where it refuses."""
    before = content_of(directory)
    try:
        assert toy.run(directory, **study) == whole
        return
    except UserError as error:
        sentence = str(error)
    assert "\n" not in sentence and sentence.endswith(".") and str(directory) in sentence
    assert len(sentence) < 600, sentence
    assert toy.evaluated == []
    assert content_of(directory) == before, "it is untouched"
    assert toy.run(take_advice(sentence, directory), **study) == whole, sentence


@pytest.mark.parametrize(
    ("study", "name"),
    [
        *(
            # What a selection has too is tried there.
            pytest.param(
                BLACK_BOX,
                name,
                id=f"black box-{name}",
                marks=() if name in TUNERS else pytest.mark.long,
            )
            for name in FILES
            if is_json(name)
        ),
        *(
            pytest.param(SELECTION, name, id=f"selection-{name}")
            for name in FILES
            if is_json(name) and name not in TUNERS
        ),
    ],
)
def test_a_broken_file(toy, tmp_path, finished, name, study):
    directory, file, whole = finished(study, name)
    shutil.move(directory, tmp_path / "good")
    for way, change in WAYS.items():
        for made in (tmp_path / "away", tmp_path / "another"):
            shutil.rmtree(made, ignore_errors=True)
        copied(tmp_path / "good", directory)
        change(file)
        try:
            check(toy, study, directory, whole)
        except BaseException as error:
            raise AssertionError(f"{name}, {way}") from error


@pytest.mark.parametrize("name", [name for name in FILES if not is_json(name)])
@pytest.mark.parametrize(
    "change", [write(b""), write(b"junk"), make_folder, remove], ids=["", "junk", "folder", "gone"]
)
def test_a_folder_or_another_file_that_is_not_what_it_was(toy, finished, name, change):
    study = BLACK_BOX if name in TUNERS else SELECTION
    directory, path, whole = finished(study, name)
    change(path)
    check(toy, study, directory, whole)


@pytest.mark.parametrize(
    ("study", "name"),
    [(BLACK_BOX, "trial.json"), (BLACK_BOX, "candidate.json"), (SELECTION, "candidate.json")],
)
def test_the_file_of_another(toy, finished, study, name):
    directory, file, whole = finished(study, name)
    swap(file)
    check(toy, study, directory, whole)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("candidate.json", lambda row: row.update(score=1.0)),
        ("candidate.json", lambda row: row.update(score="1.0")),
        ("candidate.json", lambda row: row.update(status="failed", score=None)),
        ("candidate.json", lambda row: row.update(genotype=None)),
        ("candidate.json", lambda row: row["genotype"]["recurrent"][0].__setitem__(0, "gelu")),
        ("candidate.json", lambda row: other_operation(row["genotype"])),
        ("candidate.json", lambda row: row.update(cell="tanh:0")),
        ("candidate.json", lambda row: row.update(space="hyperbolic")),
        ("candidate.json", lambda row: row.update(snapshots=[{"epoch": 1}])),
        ("candidate.json", lambda row: row.pop("counts")),
        ("oracle.json", lambda state: state.pop("seed_state")),
        ("oracle.json", lambda state: state.update(start_order={})),
        ("oracle.json", lambda state: state.update(start_order=["7"])),
        ("oracle.json", lambda state: state.update(retry_queue=["0", "9"])),
        ("oracle.json", lambda state: state.update(hyperparameters=[])),
        ("oracle.json", lambda state: state["end_order"].pop()),
        ("trial.json", lambda state: state.update(score=0.5)),
        ("trial.json", lambda state: state.update(status="RUNNING")),
        ("trial.json", lambda state: state.update(trial_id="7")),
        ("trial.json", lambda state: state.update(metrics=None)),
    ],
)
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "of an older version"])
def test_a_document_that_was_changed(toy, finished, name, change, sealed):
    # Without seals it is by keras-tuner's trials that another score is noticed.
    study = SELECTION if sealed and name not in TUNERS else BLACK_BOX
    directory, file, whole = finished(study, name)
    document = json.loads(file.read_text())
    if not sealed:
        del document["sha256"]
    change(document)
    file.write_text(json.dumps(document))
    with pytest.raises(UserError):
        toy.run(directory, **study)
    check(toy, study, directory, whole)


@pytest.mark.parametrize("study", [SELECTION, BLACK_BOX], ids=["selection", "black box"])
def test_a_study_of_an_older_version_goes_on(toy, finished, study):
    directory, _, whole = finished(study, "config.json")
    for file in [*directory.rglob("trial.json"), *directory.rglob("candidate.json")]:
        document = json.loads(file.read_text())
        document.pop("sha256")
        file.write_text(json.dumps(document))
    (directory / "tuner").mkdir(exist_ok=True)
    (directory / "tuner" / "tuner0.json").write_text("{}")
    assert toy.run(directory, **study) == whole and toy.evaluated == []
