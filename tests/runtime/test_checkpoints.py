import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts.errors import StorageError, UserError
from tf_darts.runtime import files
from tf_darts.runtime.checkpoint_files import names
from tf_darts.runtime.checkpoints import Checkpoints


@pytest.fixture
def make(tmp_path):
    """Variables as a new process would make them, and their checkpoints."""

    def build(shape=(2,), directory=tmp_path):
        value = tf.Variable(tf.zeros(shape))
        nested = tf.Variable(0, dtype=tf.int64)
        return value, nested, Checkpoints(directory, {"value": value, "list": [nested]})

    return build


def test_nothing_to_restore(make):
    value, _, checkpoints = make()
    assert not checkpoints.restore()
    with pytest.raises(UserError, match="epoch: the checkpoint to go back to is gone"):
        checkpoints.restore_anchor()
    assert value.numpy().tolist() == [0, 0]


def everything():
    """Variables of all kinds that runs have: TensorFlow's, Keras', nested ones, an optimiser's."""
    kernel, optimizer = keras.Variable([3.0, 4.0]), keras.optimizers.Adam()
    optimizer.build([kernel])
    plain, nested = tf.Variable([1.0]), tf.Variable(2, dtype=tf.int64)
    held = {"kernel": [kernel], "optimizer": optimizer, "plain": plain, "nested": {"a": [nested]}}
    return held, [kernel, plain, nested, *optimizer.variables]


def test_the_first_state_is_the_anchor_until_one_is_saved(tmp_path):
    held, variables = everything()
    checkpoints = Checkpoints(tmp_path, held)
    values = [variable.numpy() for variable in variables]
    checkpoints.remember_first()
    for variable in variables:
        variable.assign(variable + 1)
    checkpoints.save(1)  # which is no anchor
    saved = [name for name in names(tmp_path / "latest" / "ckpt-1") if "VARIABLE_VALUE" in name]
    assert len(saved) == len(variables)  # nothing else would have to be remembered
    checkpoints.restore_anchor()
    for variable, value in zip(variables, values, strict=True):
        np.testing.assert_array_equal(variable, value)
    for variable in variables:
        variable.assign(variable + 1)
    checkpoints.save(2, anchor=True)
    for variable in variables:
        variable.assign(variable + 1)
    checkpoints.restore_anchor()
    for variable, value in zip(variables, values, strict=True):
        np.testing.assert_array_equal(variable, value + 1)
    checkpoints.remember_first()  # there is an anchor: nothing is to be remembered
    (tmp_path / "epoch" / "checkpoint").unlink()
    for file in (tmp_path / "epoch").iterdir():
        file.unlink()
    with pytest.raises(UserError, match="the checkpoint to go back to is gone"):
        checkpoints.restore_anchor()


def test_restores_the_latest_in_another_process(make):
    value, nested, checkpoints = make()
    for step in (10, 20):
        value.assign([step, step])
        nested.assign(step)
        checkpoints.save(step)
    value, nested, checkpoints = make()
    assert checkpoints.restore()
    assert (value.numpy().tolist(), int(nested)) == ([20, 20], 20)


def test_an_epochs_end_outlives_later_steps(make):
    value, _, checkpoints = make()
    value.assign([1, 1])
    checkpoints.save(1, anchor=True)
    for step in range(2, 7):
        value.assign([step, step])
        checkpoints.save(step)
    value, _, checkpoints = make()
    checkpoints.restore_anchor()
    assert value.numpy().tolist() == [1, 1]
    assert checkpoints.restore()
    assert value.numpy().tolist() == [6, 6]


def test_an_epochs_end_is_the_latest_too(make):
    value, _, checkpoints = make()
    checkpoints.save(1)
    value.assign([2, 2])
    checkpoints.save(2, anchor=True)
    value, _, checkpoints = make()
    assert checkpoints.restore()
    assert value.numpy().tolist() == [2, 2]


def test_going_back_and_saving_the_same_step_again(make):
    value, _, checkpoints = make()
    value.assign([1, 1])
    checkpoints.save(5, anchor=True)
    checkpoints.save(9)
    checkpoints.restore_anchor()
    value.assign([3, 3])
    checkpoints.save(5, anchor=True)
    value, _, checkpoints = make()
    assert checkpoints.restore()
    assert value.numpy().tolist() == [3, 3]


def test_an_epoch_that_was_measured_once_is_not_lost(make, tmp_path, monkeypatch):
    """The anchor is written, and then there is no room for the latest."""
    value, _, checkpoints = make()
    checkpoints.save(1)
    value.assign([2, 2])
    checkpoints.history.records.append({"epoch": 1})
    write = Checkpoints._write

    def full(self, folder, *given, **named):
        if folder.name == "latest":
            raise StorageError("no room")
        return write(self, folder, *given, **named)

    monkeypatch.setattr(Checkpoints, "_write", full)
    with pytest.raises(StorageError):
        checkpoints.save(2, anchor=True)
    monkeypatch.undo()
    value, _, checkpoints = make()
    assert checkpoints.restore() == tmp_path / "latest" / "ckpt-2"
    assert value.numpy().tolist() == [2, 2] and checkpoints.history.records == [{"epoch": 1}]


def test_a_checkpoint_is_on_the_disk_before_another_is_removed(make, tmp_path, monkeypatch):
    _, _, checkpoints = make()
    checkpoints.save(1, anchor=True)
    flushed = []
    monkeypatch.setattr(files, "flush", lambda path: flushed.append((path.name, removed())))

    def removed():
        return not (tmp_path / "epoch" / "ckpt-1.index").exists()

    checkpoints.save(2, anchor=True)
    names = ["ckpt-2.data-00000-of-00001", "ckpt-2.index", "epoch"]
    assert flushed[:3] == [(name, False) for name in names] and removed()


def test_old_checkpoints_are_removed(make, tmp_path):
    _, _, checkpoints = make()
    for step in range(1, 6):
        checkpoints.save(step, anchor=True)
    assert sorted(p.name for p in (tmp_path / "latest").glob("*.index")) == [
        "ckpt-4.index",
        "ckpt-5.index",
    ]
    assert [p.name for p in (tmp_path / "epoch").glob("*.index")] == ["ckpt-5.index"]


@pytest.mark.parametrize("ending", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("content", [None, b"", b"garbage" * 100])
def test_a_broken_checkpoint_is_one_sentence(make, tmp_path, ending, content):
    _, _, checkpoints = make()
    checkpoints.save(3)
    file = tmp_path / "latest" / f"ckpt-3{ending}"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    _, _, checkpoints = make()
    with pytest.raises(UserError) as error:
        checkpoints.restore()
    latest = tmp_path / "latest"
    if content is None:
        assert str(error.value) == (
            f"{latest}: its checkpoints are gone or cannot be read; restore it from a copy, or give"
            " another --run_dir to begin again."
        )
    else:
        assert str(error.value) == (
            f"{latest / 'ckpt-3'}: this checkpoint is broken or of another model; restore {latest}"
            " from a copy, or give another --run_dir to begin again."
        )


def test_a_checkpoint_of_another_model(make):
    _, _, checkpoints = make()
    checkpoints.save(1)
    _, _, checkpoints = make(shape=(3,))
    with pytest.raises(UserError, match="broken or of another model"):
        checkpoints.restore()


def test_a_checkpoint_that_lacks_a_variable(tmp_path):
    value, more = tf.Variable(0.0), tf.Variable(0.0)
    Checkpoints(tmp_path, {"value": value}).save(1)
    with pytest.raises(UserError, match="broken or of another model"):
        Checkpoints(tmp_path, {"value": value, "more": more}).restore()


def test_an_anchor_is_written_once_and_copied(make, tmp_path, monkeypatch):
    value, _, checkpoints = make()
    checkpoints.save(7)
    written = []
    write = tf.train.Checkpoint.write
    monkeypatch.setattr(
        tf.train.Checkpoint, "write", lambda *given: written.append(given[1]) or write(*given)
    )
    checkpoints.save(4, anchor=True)  # after it went back, so the two have different numbers
    assert len(written) == 1
    assert [p.name for p in (tmp_path / "epoch").glob("*.index")] == ["ckpt-4.index"]
    assert (tmp_path / "latest" / "ckpt-8.index").exists()
    shutil.rmtree(tmp_path / "epoch")
    value.assign([9, 9])
    assert checkpoints.restore() == tmp_path / "latest" / "ckpt-8"
    assert value.numpy().tolist() != [9, 9]
