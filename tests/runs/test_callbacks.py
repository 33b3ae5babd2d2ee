"""`callbacks=` of `tf_darts.search`, `train` and `select`."""

import numpy as np
import pytest

import tf_darts
from tests.support.toy_search import search as toy_search
from tf_darts import api
from tf_darts.runtime.callback import Callback, Guest, guests
from tf_darts.runtime.environment import recorded_environment

SMALL = {"batch_size": 8, "epochs": 2, "steps_per_epoch": 1, "train_examples": 64}


class Watch(tf_darts.Callback):
    """Writes down all that it is told, and spoils what it is given."""

    def __init__(self):
        self.told = []

    def on_run(self, activity, path):
        self.told.append(("run", activity, path))

    def on_start(self, step, total_steps):
        self.told.append(("start", step, total_steps))

    def on_step(self, step, metrics):
        self.told.append(("step", step))
        metrics.clear()

    def on_epoch(self, record, history):
        self.told.append(("epoch", record["epoch"], len(history)))
        assert record is history[-1]
        record.clear()

    def on_cell(self, epoch, cell):
        self.told.append(("cell", epoch, cell))

    def on_finish(self, history):
        self.told.append(("finish", len(history)))
        history.clear()

    def on_end(self):
        self.told.append(("end",))

    def names(self):
        return [event[0] for event in self.told]


def test_every_event_reaches_a_guest():
    events = [name for name in vars(Callback) if name.startswith("on_")]
    assert set(events) == {name for name in vars(Guest) if name.startswith("on_")}


def test_a_guest_is_given_copies():
    guest, metrics, history = Guest(Watch()), {"loss": 1.0}, [{"epoch": 1, "mixing": [[0.5]]}]
    guest.on_step(1, metrics)
    guest.on_epoch(history[-1], history)
    guest.on_finish(history)
    assert metrics == {"loss": 1.0} and history == [{"epoch": 1, "mixing": [[0.5]]}]


def test_a_search_tells_its_events_and_is_the_same(tmp_path):
    watch = Watch()
    alone = toy_search(tmp_path / "alone")
    watched = toy_search(tmp_path / "watched", guests([watch])[0])
    np.testing.assert_array_equal(alone[0], watched[0])
    for record, other in zip(alone[2], watched[2], strict=True):
        assert record.pop("seconds") is not None and other.pop("seconds") is not None
        assert record == other
    assert watch.told[0] == ("run", "search", tmp_path / "watched")
    assert watch.told[1][0] == "start" and watch.told[-2:] == [("finish", 3), ("end",)]
    assert [event for event in watch.told if event[0] == "epoch"] == [
        ("epoch", number, number) for number in (1, 2, 3)
    ]
    cells = [event for event in watch.told if event[0] == "cell"]
    records = watched[2]
    changes = [
        number + 1
        for number, record in enumerate(records)
        if number == 0 or record["genotype"] != records[number - 1]["genotype"]
    ]
    assert [epoch for _, epoch, _ in cells] == changes
    for _, epoch, cell in cells:
        assert cell.to_dict() == records[epoch - 1]["genotype"]


@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
def test_searches_trainings_and_selections_tell(tmp_path, eagerly):
    digits = {"dataset": "digits", "space": "planted", "channels": 1, "image_size": 8} | SMALL
    watch = Watch()
    found = tf_darts.search(run_dir=tmp_path / "found", callbacks=[watch], **digits)
    assert watch.told[0] == ("run", "search", found.path)
    assert watch.names().count("step") == 2 and watch.told[-2] == ("finish", 2)
    assert [event[2] for event in watch.told if event[0] == "cell"][-1] == found.cell
    (start,) = recorded_environment(found.path)
    assert start["versions"]["tf_darts"] == tf_darts.__version__
    watch = Watch()
    select = {"validation_examples": 20} | digits
    del select["dataset"], select["space"]
    tf_darts.select(
        dataset="digits",
        space="planted",
        run_dir=tmp_path / "selected",
        candidates=["random"],
        count=1,
        train_settings=select,
        callbacks=[watch],
    )
    (path,) = [event[2] for event in watch.told if event[0] == "run"]
    assert watch.told[0][1] == "training" and path.name == "train"
    assert "cell" not in watch.names() and watch.told[-2] == ("finish", 2)
    for folder in (tmp_path / "selected", path):
        assert len(recorded_environment(folder)) == 1


def test_a_training_tells(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(api, "run_training", lambda *a, callbacks: given.append(callbacks))
    watch = Watch()
    tf_darts.train("darts_v2", dataset="pydoc", run_dir=tmp_path, callbacks=[watch])
    cell = tf_darts.PUBLISHED["recurrent"]["darts_v2"]
    tf_darts.train(cell, dataset="pydoc", run_dir=tmp_path, callbacks=(watch,))
    for (guest,) in given:
        guest.on_start(1, 2)
    assert watch.told == [("start", 1, 2)] * 2


def test_what_a_callback_raises_ends_the_run_which_goes_on(tmp_path):
    class Prunes(tf_darts.Callback):
        def on_epoch(self, record, history):
            if record["epoch"] == 2:
                raise LookupError("pruned")

    with pytest.raises(LookupError, match="pruned"):
        toy_search(tmp_path, guests([Prunes()])[0])
    watch = Watch()
    _, _, history = toy_search(tmp_path, guests([watch])[0])
    assert len(history) == 3 and ("epoch", 2, 2) in watch.told and ("epoch", 1, 1) not in watch.told


@pytest.mark.parametrize("wrong", [[print], print, [Watch], ["watch"]])
def test_what_is_no_callback_is_refused_at_once(wrong, tmp_path):
    for call in (tf_darts.search, tf_darts.select, lambda **s: tf_darts.train("darts_v2", **s)):
        with pytest.raises(tf_darts.UserError, match=r"is no callback; give a list of objects"):
            call(dataset="pydoc", run_dir=tmp_path / "run", callbacks=wrong)
    assert not list(tmp_path.iterdir())
