"""Versions: whole and checked, or not there; here of a model of one product."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.formats import saved_model, saved_model_check
from tf_darts.formats.saved_model import write_version
from tf_darts.formats.serving_model import DEFAULT, ServingModel, Signature
from tf_darts.formats.versions import new_version


class Scale(ServingModel):
    """Multiplies by a number."""

    def __init__(self, by, label=b"x"):
        super().__init__()
        self.by = tf.Variable(by)
        self.label = label

    def signatures(self):
        def times(numbers):
            label = tf.fill(tf.shape(numbers)[:1], self.label)
            return {"scaled": self.by * numbers, "label": label}

        inputs = {"numbers": tf.TensorSpec([None, 2], tf.float32)}
        examples = tuple({"numbers": np.ones([n, 2], np.float32)} for n in (1, 3))
        return {DEFAULT: Signature(times, inputs, examples)}

    def client_info(self):
        return {"by": float(self.by)}


def write(folder, version=0, live=None):
    served = Scale(2.0)
    card = {"space": "none", "a": {"b": 1.5}}
    with new_version(folder, version) as staged:
        write_version(served, live or served, card, staged)
    return folder / str(staged.number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="module")
def written(folder):
    return write(folder)


def test_a_version(folder, written):
    assert [path.name for path in folder.iterdir()] == ["1"]
    loaded = tf.saved_model.load(str(written))
    answer = loaded.signatures[DEFAULT](numbers=tf.constant([[1.0, 2.0]] * 5))
    np.testing.assert_array_equal(answer["scaled"], [[2.0, 4.0]] * 5)
    assert len(list(tf.data.TFRecordDataset(str(written / saved_model.WARMUP_FILE)))) == 2


def test_the_card(written):
    card = json.loads((written / "model_card.json").read_text())
    assert (card["version"], card["space"], card["a"]) == (1, "none", {"b": 1.5})
    assert card["signatures"][DEFAULT] == {
        "inputs": {"numbers": "float32 [?, 2]"},
        "outputs": {"label": "string [?]", "scaled": "float32 [?, 2]"},
        "limits": {"rows": "1 to 256"},
    }
    text = (written / "model_card.md").read_text()
    assert "- version: 1" in text and "- b: 1.5" in text and "float32 [?, 2]" in text


@pytest.mark.slow
def test_a_mismatch_leaves_nothing(tmp_path):
    sentence = r"does not answer as the trained one does \(serving_default: scaled differs by 0.5;"
    with pytest.raises(UserError, match=sentence):
        write(tmp_path, live=Scale(2.5))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("live", "found"),
    [
        (Scale(2.00001), []),
        (Scale(2.0001), ["serving_default: scaled differs by 9.99e-05"] * 2),
        (Scale(2.0, b"y"), ["serving_default: label differs"] * 2),
        (Scale(float("nan")), ["serving_default: scaled differs by nan"] * 2),
    ],
)
def test_what_differs(written, live, found):
    examples = written / saved_model_check.EXAMPLES_FILE
    before = examples.read_bytes()
    answers = {DEFAULT: saved_model._answers(live.signatures()[DEFAULT])}
    try:
        examples.write_text(json.dumps(answers))
        assert saved_model_check.differences(written) == found
        examples.write_text(json.dumps({"other": []}))
        assert saved_model_check.differences(written) == [
            "signatures ['serving_default'] in place of ['other']"
        ]
    finally:
        examples.write_bytes(before)


def test_a_check_that_dies_leaves_nothing(tmp_path, monkeypatch):
    program = tmp_path / "check.py"
    program.write_text("import tf_darts_is_not_here")
    monkeypatch.setattr(saved_model_check, "__file__", str(program))
    (tmp_path / "model").mkdir()
    with pytest.raises(UserError, match=r"ModuleNotFoundError.*tf_darts_is_not_here"):
        write(tmp_path / "model")
    assert not list((tmp_path / "model").iterdir())


@pytest.mark.slow
def test_the_check_cannot_import_tf_darts(tmp_path, written):
    probe = tmp_path / "probe.py"
    source = pathlib.Path(saved_model_check.__file__).read_text(encoding="utf-8")
    probe.write_text(
        source.replace("    problems = differences(", "    import tf_darts\n    problems = (", 1)
    )
    done = subprocess.run(
        [sys.executable, "-I", probe, written], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "import of tf_darts halted" in done.stderr


def test_tolerance():
    differs = saved_model_check._difference
    assert differs(np.float32([100.0005]), np.float32([100.0])) is None
    assert differs(np.float32([100.01]), np.float32([100.0])) == "differs by 0.01"
    assert differs(np.zeros([2]), np.zeros([3])).startswith("is float64(2,) in place of")
    assert differs(np.int32([1]), np.int32([2])) == "differs"


def test_the_program_says_how_many_answers_agree(written, capsys):
    assert saved_model_check.main(["check", str(written)]) == 0
    said = capsys.readouterr()
    assert said.out == (
        f"{written}: all 2 answers agree with the stored ones, in TensorFlow 2 and a session.\n"
    )
    assert not said.err


def test_the_program_refuses_what_is_no_version_in_a_sentence(folder, written, tmp_path, capsys):
    for arguments, sentence in [
        ([], "takes one argument, and got 0; give the folder of a version"),
        ([written, written], "takes one argument, and got 2;"),
        ([folder], f"{folder}: no exported version, saved_model.pb and "),
        ([folder], f"; give {written}.\n"),
        ([tmp_path / "gone"], "not found in it; give one, as in models/NAME/1."),
    ]:
        assert saved_model_check.main(["check", *map(str, arguments)]) == 2
        said = capsys.readouterr()
        assert sentence in said.err and said.err.count("\n") == 1 and not said.out
