"""Directories of versions: numbers, two exports at once, what killed ones leave, full disks."""

import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

from tf_darts.errors import StorageError, UserError
from tf_darts.formats import saved_model
from tf_darts.formats.model_card import write_card
from tf_darts.formats.saved_model import write_version
from tf_darts.formats.serving_model import DEFAULT, ServingModel, Signature
from tf_darts.formats.versions import new_version, storing

# Claims a version, says so, and waits to be killed.
OTHER = """
import pathlib, sys
from tf_darts.formats.versions import new_version
with new_version(pathlib.Path(sys.argv[1]), int(sys.argv[2])) as version:
    (version.folder / "half").write_text("half")
    print(version.number, flush=True)
    sys.stdin.read()
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def written(folder, wanted=0):
    with new_version(folder, wanted) as version:
        (version.folder / "file").write_text("whole")
    return version.number


def test_versions_are_numbered(tmp_path):
    assert written(tmp_path / "new" / "model") == 1
    for name in ("1", "9", "10", "20x"):
        (tmp_path / name).mkdir()
    (tmp_path / "note.txt").write_text("")
    assert written(tmp_path) == 11
    assert written(tmp_path, 4) == 4
    assert names(tmp_path) == ["1", "10", "11", "20x", "4", "9", "new", "note.txt"]
    assert names(tmp_path / "4") == ["file"]


def test_a_version_0_is_one_of_them(tmp_path):
    (tmp_path / "0").mkdir()
    assert [written(tmp_path), written(tmp_path)] == [1, 2]


def test_no_version_is_overwritten(tmp_path):
    (tmp_path / "9").mkdir()
    with pytest.raises(UserError, match=r"--export_version=9: .* is there already"):
        written(tmp_path, 9)
    assert names(tmp_path) == ["9"] and not names(tmp_path / "9")
    assert written(tmp_path) == 10  # as the sentence says


def test_directories_that_cannot_be(tmp_path):
    file = tmp_path / "a_file"
    file.write_text("")
    for path in (file, file / "below"):
        with pytest.raises(StorageError, match="cannot be written"):
            written(path)
    assert names(tmp_path) == ["a_file"]


@pytest.mark.parametrize("name", ["[lr=0.025]", "a*", "b?", "c\\d"])
def test_directories_that_are_patterns(tmp_path, name):
    with pytest.raises(UserError, match="as a pattern and could not load"):
        written(tmp_path / name)
    assert not names(tmp_path)
    assert written(tmp_path / "lr=0.025") == 1


def test_what_fails_leaves_nothing(tmp_path):
    for folder in (tmp_path / "new", tmp_path):
        with pytest.raises(ZeroDivisionError), new_version(folder) as version:
            (version.folder / "half").write_text("half")
            _ = 1 / 0
        assert not names(tmp_path)


def test_two_at_once_in_one_process(tmp_path):
    with new_version(tmp_path) as first, new_version(tmp_path) as second:
        assert (first.number, second.number) == (1, 2)
        with pytest.raises(UserError, match=r"--export_version=2: .* or being written"):
            written(tmp_path, 2)
    assert names(tmp_path) == ["1", "2"]


@pytest.fixture
def other(tmp_path):
    """A process that writes version 1 there."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, tmp_path, "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "1\n"
        yield process
        process.kill()


def test_the_second_of_two_takes_the_next_number(tmp_path, other):
    assert written(tmp_path) == 2
    with pytest.raises(UserError, match=r"--export_version=1: .* or being written"):
        written(tmp_path, 1)
    other.communicate("")
    assert names(tmp_path) == ["1", "2"] and names(tmp_path / "1") == ["half"]


def test_what_a_killed_one_left_is_removed(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    (left,) = names(tmp_path)
    assert left.startswith(".export_1_")
    (tmp_path / ".export_of_before").mkdir()  # without a number
    assert written(tmp_path) == 1
    assert names(tmp_path) == ["1"]


class Model(ServingModel):
    """Adds numbers."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(tf.zeros([100_000]))

    def signatures(self):
        inputs = {"numbers": tf.TensorSpec([None], tf.float32)}
        example = {"numbers": tf.ones([2]).numpy()}
        return {
            DEFAULT: Signature(
                lambda numbers: {"sum": numbers + tf.reduce_sum(self.weights)}, inputs, (example,)
            )
        }

    def client_info(self):
        return {}


@pytest.fixture
def model():
    return Model()


def export(model, folder):
    with new_version(folder) as version:
        write_version(model, model, {}, version)


@pytest.mark.parametrize("size", [0, 100, 3000, 10_000, 100_000])
def test_a_full_disk(tmp_path, model, monkeypatch, size):
    monkeypatch.setattr(saved_model, "_check", lambda folder: None)  # takes seconds
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(StorageError, match=r"cannot be written .*File too large.*; make"):
            export(model, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert not names(tmp_path)
    export(model, tmp_path)  # there is room now
    assert names(tmp_path) == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize("before", ["_write_warmup", "write_card", "_check"])
def test_a_directory_deleted_while_it_is_written(tmp_path, model, monkeypatch, before):
    function = getattr(saved_model, before)

    def gone(*arguments, **named):
        shutil.rmtree(tmp_path / "out")
        return function(*arguments, **named)

    monkeypatch.setattr(saved_model, before, gone)
    with pytest.raises(StorageError, match=r"cannot be written|is gone"):
        export(model, tmp_path / "out")
    # TensorFlow makes the directory again where it writes; then it is without a version.
    assert not [path for path in tmp_path.rglob("*") if path.name == "1"]


def test_errors_of_others_stay_theirs(tmp_path):
    with pytest.raises(tf.errors.InvalidArgumentError), storing(tmp_path):
        raise tf.errors.InvalidArgumentError(None, None, "ours")
    with pytest.raises(StorageError, match="cannot be written \\(no\\); make room"), storing("x"):
        raise tf.errors.ResourceExhaustedError(None, None, "no\nmore")


def test_a_card_that_cannot_be_written(tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        write_card(tmp_path / "gone", {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_rights(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="Permission denied"):
            written(tmp_path)
    finally:
        tmp_path.chmod(0o700)
