"""The loop of a search, on a tiny space of its own."""

import contextlib
import errno
import functools
import json
import re
import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.support import toy_search
from tests.support.toy_search import Events, Killed, Numbers, Toy, without_time
from tf_darts.bilevel import engine
from tf_darts.bilevel.epoch_rules import Directions
from tf_darts.cells import genotype_files
from tf_darts.errors import StorageError, UserError
from tf_darts.methods.darts import StrongestEdges
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.run_directory import FollowedRun
from tf_darts.runtime.signals import Stopped, StopRequest

# The loop is the same for all of them, and this one takes least.
search = functools.partial(toy_search.search, hypergradient="first_order")


pytestmark = pytest.mark.usefixtures("all_eagerly")  # the loop's files and order are the matter


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return search(tmp_path_factory.mktemp("whole"))


def test_a_search_learns_and_leaves_its_files(tmp_path, uninterrupted):
    events = Events()
    alpha, _, history = search(tmp_path, events)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert [r["epoch"] for r in history] == [1, 2, 3]
    assert history[-1]["train_error"] < history[0]["train_error"]
    assert history[-1]["step"] == 15
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history
    cell = genotype_files.load(tmp_path / "genotype.json")
    assert cell.to_dict() == history[-1]["genotype"]
    found = json.loads((tmp_path / "genotype.json").read_text())["provenance"]
    assert found["supernet"]["validation_error"] == history[-1]["validation_error"]
    assert [e for e in events.seen if e[0] != "step"] == [
        ("epoch", 1),
        ("epoch", 2),
        ("epoch", 3),
        ("end",),
    ]


@pytest.mark.parametrize(
    "step", [1, 3, 5, 6, 10, 15, *(pytest.param(s, marks=pytest.mark.long) for s in (2, 9, 14))]
)
def test_killed_at_any_step_the_run_goes_on_exactly(tmp_path, uninterrupted, step):
    with pytest.raises(Killed):
        search(tmp_path, Events(kill_at=step))
    data = Numbers()
    alpha, weights, history = search(tmp_path, data=data)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    np.testing.assert_array_equal(weights, uninterrupted[1])
    assert without_time(history) == without_time(uninterrupted[2])
    assert len(data.served) < 15 or step <= 2, "it went on, it did not begin again"


def test_so_does_one_of_compiled_functions(tmp_path):
    tf.config.run_functions_eagerly(False)
    try:
        alpha, weights, history = search(tmp_path / "whole")
        with pytest.raises(Killed):
            search(tmp_path / "killed", Events(kill_at=8))
        again = search(tmp_path / "killed")
    finally:
        tf.config.run_functions_eagerly(True)
    assert np.array_equal(again[0], alpha) and np.array_equal(again[1], weights)
    assert without_time(again[2]) == without_time(history)


def test_killed_twice_and_stopped_once(tmp_path, uninterrupted):
    for step in (4, 9):
        with pytest.raises(Killed):
            search(tmp_path, Events(kill_at=step))
    stop = StopRequest()
    with pytest.raises(Stopped, match=r"step 11 \(epoch 3 of 3\).*same command"):
        search(tmp_path, Events(stop_at=11, stop=stop), stop=stop)
    data = Numbers()
    alpha, _, history = search(tmp_path, data=data)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert without_time(history) == without_time(uninterrupted[2])
    assert data.served[0] == (2, 1), "a stop saves the step it finished"


def test_a_kill_between_the_record_and_its_checkpoint_repeats_no_record(tmp_path, uninterrupted):
    class KillAtEpoch(Callback):
        def on_epoch(self, record, history):
            raise Killed

    with pytest.raises(Killed):
        search(tmp_path, KillAtEpoch())
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 1
    _, _, history = search(tmp_path)
    assert without_time(history) == without_time(uninterrupted[2])


@pytest.mark.slow
def test_so_does_one_before_the_first_checkpoint(tmp_path, monkeypatch):
    """An epoch has fewer steps than there are between two checkpoints."""
    whole = search(tmp_path / "whole", checkpoint_steps=1000)

    def killed(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(engine.SearchEngine, "_announce", killed)  # the record is written
        with pytest.raises(Killed):
            search(tmp_path / "killed", checkpoint_steps=1000)
    assert (tmp_path / "killed" / "history.jsonl").exists()
    again = search(tmp_path / "killed", checkpoint_steps=1000)
    assert np.array_equal(again[0], whole[0]) and np.array_equal(again[1], whole[1])
    assert without_time(again[2]) == without_time(whole[2])


def test_a_finished_run_is_only_looked_at(tmp_path):
    search(tmp_path)
    data = Numbers()
    _, _, history = search(tmp_path, data=data)
    assert data.served == [] and len(history) == 3


def test_so_is_it_by_another_worker(tmp_path):
    """Its chief has nothing left to do, and would not come to where it waits."""
    _, _, history = search(tmp_path)
    events = Events()
    with contextlib.closing(FollowedRun(tmp_path, {})) as run:
        made = toy_search.config(hypergradient="first_order")
        follower = engine.SearchEngine(made, Toy(), Numbers(), run, [events])
        assert follower.search(StopRequest()) == history and events.seen == []
        assert run.read_result()["epoch"] == 3
        cell = genotype_files.load(run.file("genotype.json"))
        assert cell.to_dict() == history[-1]["genotype"]


@pytest.mark.slow
@pytest.mark.parametrize("resumed", [False, True])
def test_before_its_first_step_a_process_stops_at_once(tmp_path, uninterrupted, resumed):
    """Compiling may take minutes, and nothing would be lost."""
    if resumed:
        stop = StopRequest()
        with pytest.raises(Stopped):
            search(tmp_path, Events(stop_at=11, stop=stop), stop=stop)
    stop, data = StopRequest(), Numbers()
    stop.signal_number = signal.SIGTERM
    words = f"Stopped before step {12 if resumed else 1} in {tmp_path}; the same command"
    with pytest.raises(Stopped, match=f"^{re.escape(words)} {'goes on' if resumed else 'begins'}"):
        search(tmp_path, stop=stop, data=data)
    alpha, _, history = search(tmp_path)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert without_time(history) == without_time(uninterrupted[2])


def test_divergence_stops_with_what_happened(tmp_path):
    events = Events()
    with pytest.raises(UserError, match=r"step 8 \(epoch 2\).*train_loss.*--max_rollbacks"):
        search(tmp_path, events, data=Numbers(poison=[(1, 2)]))
    assert events.seen[-1] == ("end",)
    # The same directory is still good.
    alpha, _, _ = search(tmp_path)
    assert np.all(np.isfinite(alpha))


@pytest.mark.slow
def test_divergence_rolls_back_at_most_so_often(tmp_path, uninterrupted):
    events = Events()
    alpha, _, history = search(
        tmp_path / "a", events, data=Numbers(poison=[(1, 2)]), max_rollbacks=1
    )
    assert ("rollback", 5) in [e[:2] for e in events.seen]
    assert history[-1]["rollbacks"] == 1
    assert np.all(np.isfinite(alpha))
    assert not np.array_equal(alpha, uninterrupted[0]), "other masks after a rollback"
    with pytest.raises(UserError, match="after 1 rollbacks"):
        search(tmp_path / "b", data=Numbers(poison=[(1, 2), (1, 3)]), max_rollbacks=1)


def test_a_divergence_in_the_first_epoch_goes_back_to_where_all_began(tmp_path):
    def searched(name, **more):
        events = Events(**more)
        made = search(tmp_path / name, events, Numbers(poison=[(0, 3)]), max_rollbacks=1)
        return events.seen, made

    seen, (alpha, weights, history) = searched("a")
    assert ("rollback", 0) in [event[:2] for event in seen]
    with pytest.raises(Killed):
        searched("b", kill_at=3)  # after step 2 a state is saved, which is no epoch's end
    seen, (again, weights_again, history_again) = searched("b")
    assert seen[0] == ("step", 3) and seen[1][:2] == ("rollback", 0)
    assert np.array_equal(alpha, again) and np.array_equal(weights, weights_again)
    assert without_time(history) == without_time(history_again)


def test_a_score_that_is_no_number_is_a_divergence(tmp_path):
    class Spoilt(Numbers):
        """The second evaluation meets something that is not a number."""

        evaluations = 0

        def evaluation(self):
            self.evaluations += 1
            yield np.float32([1.0, 1.1, np.nan if self.evaluations == 2 else 1.0])

        def sample(self):
            yield np.float32([1.0, 1.1, 1.0])

    with pytest.raises(UserError, match=r"epoch 2.*evaluation mode.*--max_rollbacks"):
        search(tmp_path / "a", data=Spoilt())
    assert "NaN" not in (tmp_path / "a" / "history.jsonl").read_text()
    _, _, history = search(tmp_path / "b", data=Spoilt(), max_rollbacks=1)
    assert [r["rollbacks"] for r in history] == [0, 1, 1]


def test_the_genotype_is_rewritten_only_when_something_changed(tmp_path, monkeypatch):
    writes = []
    save = genotype_files.save
    monkeypatch.setattr(genotype_files, "save", lambda *a: (writes.append(a[2]), save(*a)))
    search(tmp_path, alpha_learning_rate=1e-9, epochs=2)
    # The first cell, and one for each epoch's score.
    assert [w["supernet"] and w["supernet"]["epoch"] for w in writes] == [None, 1, 2]


def test_the_cell_is_derived_at_records_and_checkpoints(tmp_path, monkeypatch):
    steps, edges = [], StrongestEdges.edges
    data = Numbers()  # one batch is served before a step
    monkeypatch.setattr(
        StrongestEdges, "edges", lambda *a: (steps.append(len(data.served)), edges(*a))[1]
    )
    search(tmp_path, data=data)
    # Once where it starts and at each checkpoint within an epoch, and for the records.
    assert sorted(steps) == [0, 2, 4, 5, 6, 8, 10, 10, 12, 14, 15]


class EndsEarly(engine.SearchEngine):
    """Ends after two epochs, by a rule that needs nothing but the history."""

    def _has_next_epoch(self):
        return super()._has_next_epoch() and len(self._history) < 2


class Finishes(Callback):
    def __init__(self):
        self.told = []

    def on_epoch(self, record, history):
        self.told.append(record["epoch"])

    def on_finish(self, history):
        self.told.append(f"finished after {len(history)}")

    def on_end(self):
        self.told.append("left")


def test_a_search_that_ends_early_has_finished(tmp_path, monkeypatch, uninterrupted):
    monkeypatch.setattr(toy_search, "SearchEngine", EndsEarly)
    watch = Finishes()
    _, _, history = search(tmp_path, watch)
    assert watch.told == [1, 2, "finished after 2", "left"]
    assert without_time(history) == without_time(uninterrupted[2][:2])
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["epoch"], result["epochs"]) == (2, 2)
    provenance = genotype_files.load(tmp_path / "genotype.json").provenance
    assert provenance["search_seconds"] == history[-1]["seconds"]
    assert (provenance["method"], provenance["replicas"]) == ("darts_first", 1)
    # It is only looked at from now on, even where its checkpoints are gone.
    shutil.rmtree(tmp_path / "checkpoints")
    watch = Finishes()
    assert search(tmp_path, watch)[2] == history and watch.told == []


def test_a_search_that_is_killed_at_its_end_tells_it_again(tmp_path):
    class KilledAtTheEnd(Callback):
        def on_finish(self, history):
            raise Killed

    with pytest.raises(Killed):
        search(tmp_path, KilledAtTheEnd())
    assert not (tmp_path / "result.json").exists()
    watch = Finishes()
    search(tmp_path, watch)
    assert watch.told == ["finished after 3", "left"] and (tmp_path / "result.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3, 6, 11])
def test_the_genotype_of_a_killed_run_is_that_of_its_state(tmp_path, step):
    class KilledAtStart(Callback):
        def on_start(self, step, total):
            self.step = step
            raise Killed

    with pytest.raises(Killed):
        search(tmp_path, Events(kill_at=step))
    start = KilledAtStart()
    with pytest.raises(Killed):
        search(tmp_path, start)
    found = json.loads((tmp_path / "genotype.json").read_text())["provenance"]
    assert found["step"] == start.step < step
    assert (found["supernet"] or {"epoch": 0})["epoch"] == start.step // 5
    _, _, history = search(tmp_path)
    assert genotype_files.load(tmp_path / "genotype.json").to_dict() == history[-1]["genotype"]


def test_what_stands_there_first_is_read_by_the_directions_of_its_epoch(tmp_path, monkeypatch):
    """Where a killed search goes on within an epoch, operations may be out, and numbers be said."""
    allowed = np.ones([Toy().cells["cell"].edges, Toy().cells["cell"].columns])
    allowed[0, 0] = 0.0
    said = Directions(allowed={"cell": allowed}, numbers={"warmth": 2.0})
    moments = []
    for name, function in (
        ("_directions", lambda self: said),
        ("_write_artefacts", lambda self: moments.append(self._step.mixture._moment)),
    ):
        monkeypatch.setattr(engine.SearchEngine, name, function)
    with pytest.raises(Killed):
        search(tmp_path, Events(kill_at=1))
    np.testing.assert_array_equal(moments[0].allowed["cell"], allowed)
    assert float(moments[0].numbers["warmth"]) == 2.0


def test_the_clock_runs_before_a_rule_may_go_back(tmp_path, monkeypatch):
    """Else a return at once, as after a kill, adds the machine's uptime to the search's seconds."""
    clocks, has_next = [], engine.SearchEngine._has_next_epoch

    def asked(self):
        clocks.append(self._clock)
        return has_next(self)

    monkeypatch.setattr(engine.SearchEngine, "_has_next_epoch", asked)
    before = time.monotonic()
    search(tmp_path, epochs=1)
    assert before < clocks[0] < time.monotonic()


def half(path, **overrides):
    """A search that is killed in its third epoch, after the checkpoint of step 12."""
    with pytest.raises(Killed):
        search(path, Events(kill_at=13), **overrides)


def break_files(folder, pattern):
    for file in folder.glob(pattern):
        file.write_bytes(b"")


def test_the_older_checkpoint_serves_where_the_last_one_is_broken(tmp_path, uninterrupted, capsys):
    half(tmp_path)
    latest = tmp_path / "checkpoints" / "latest"
    break_files(latest, "ckpt-12.data*")
    alpha, weights, history = search(tmp_path)
    assert f"{latest / 'ckpt-12'} cannot be read; going on from {latest / 'ckpt-11'}." in (
        capsys.readouterr().err
    )
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    np.testing.assert_array_equal(weights, uninterrupted[1])
    assert without_time(history) == without_time(uninterrupted[2])


def test_the_last_epochs_end_serves_where_both_are_broken(tmp_path, uninterrupted, capsys):
    half(tmp_path)
    break_files(tmp_path / "checkpoints" / "latest", "*.index")
    alpha, _, history = search(tmp_path)
    assert f"going on from {tmp_path / 'checkpoints' / 'epoch' / 'ckpt-10'}." in (
        capsys.readouterr().err
    )
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert without_time(history) == without_time(uninterrupted[2])


def test_a_broken_list_of_checkpoints_is_not_needed(tmp_path, uninterrupted):
    half(tmp_path)
    (tmp_path / "checkpoints" / "latest" / "checkpoint").write_bytes(b"\xff\0 garbage")
    data = Numbers()
    alpha, _, _ = search(tmp_path, data=data)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert data.served[0] == (2, 2)


def state_of(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("loss", ["all", "latest and epoch", "indices", "broken"])
def test_a_run_that_lost_its_checkpoints_stops(tmp_path, loss):
    half(tmp_path)
    checkpoints = tmp_path / "checkpoints"
    match loss:
        case "all":
            shutil.rmtree(checkpoints)
        case "latest and epoch":
            for folder in ("latest", "epoch"):
                shutil.rmtree(checkpoints / folder)
        case "indices":
            for file in checkpoints.glob("*/*.index"):
                file.unlink()
        case "broken":
            break_files(checkpoints, "*/*.data*")
    before = state_of(tmp_path)
    with pytest.raises(UserError, match=r"from a copy, or give another --run_dir to begin again\."):
        search(tmp_path)
    assert state_of(tmp_path) == before


def test_a_finished_run_without_checkpoints_keeps_its_result(tmp_path, uninterrupted):
    search(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    before = state_of(tmp_path)
    data = Numbers()
    _, _, history = search(tmp_path, data=data)
    assert without_time(history) == without_time(uninterrupted[2])
    assert data.served == [] and state_of(tmp_path) == before


def edit(lines, how):
    match how:
        case "shorter":
            return lines[:1]
        case "twice":
            return [*lines, lines[-1]]
        case "out of order":
            return lines[::-1]
        case "emptied":
            return []
        case "cut":
            return [*lines[:-1], lines[-1][:30]]
        case "other":
            return [lines[0], lines[1].replace('"train_loss": ', '"train_loss": 9')]
        case "null":
            return [lines[0], "null\n"]


EDITS = ("shorter", "twice", "out of order", "emptied", "cut", "other", "null")


@pytest.mark.parametrize("how", EDITS)
def test_a_history_that_is_not_the_states_is_written_anew(tmp_path, uninterrupted, how, capsys):
    half(tmp_path)
    file = tmp_path / "history.jsonl"
    file.write_text("".join(edit(file.read_text().splitlines(keepends=True), how)))
    alpha, _, history = search(tmp_path)
    assert "history.jsonl" in (err := capsys.readouterr().err) and "written anew from the" in err
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert without_time(history) == without_time(uninterrupted[2])


@pytest.mark.parametrize("how", EDITS)
def test_without_a_checkpoint_such_a_history_is_refused(tmp_path, how):
    half(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    file = tmp_path / "history.jsonl"
    file.write_text("".join(edit(file.read_text().splitlines(keepends=True), how)))
    before = state_of(tmp_path)
    with pytest.raises(UserError, match="from a copy"):
        search(tmp_path)
    assert state_of(tmp_path) == before


def test_no_rollback_without_a_state_to_go_back_to(tmp_path):
    class Lost(Numbers):
        def epoch(self, epoch, start_step=0):
            if epoch == 1:
                shutil.rmtree(tmp_path / "checkpoints" / "epoch")
            return super().epoch(epoch, start_step)

    with pytest.raises(UserError, match=r"diverged at step 8 .* cannot go back.*epoch: the check"):
        search(tmp_path, data=Lost(poison=[(1, 2)]), max_rollbacks=1)
    alpha, _, _ = search(tmp_path)
    assert np.all(np.isfinite(alpha)), "nothing of it was saved"


def test_a_directory_with_characters_of_patterns(tmp_path, uninterrupted):
    path = tmp_path / "exp[lr=0.025] a*b?\\ {x}"
    half(path)
    alpha, weights, history = search(path)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    np.testing.assert_array_equal(weights, uninterrupted[1])
    assert without_time(history) == without_time(uninterrupted[2])
    latest = path / "checkpoints" / "latest"
    assert len([file for file in latest.iterdir() if file.suffix == ".index"]) == 2


def test_a_full_disk_is_one_sentence_and_the_run_goes_on(tmp_path, uninterrupted, monkeypatch):
    write = tf.train.Checkpoint.write
    for refused, error in enumerate(
        [
            tf.errors.ResourceExhaustedError(None, None, "x/ckpt; No space left on device"),
            OSError(errno.ENOSPC, "No space left on device"),
        ]
    ):
        calls = []

        def refuse(self, prefix, calls=calls, refused=refused, error=error):
            calls.append(prefix)
            if len(calls) == refused + 2:
                raise error
            return write(self, prefix)

        monkeypatch.setattr(tf.train.Checkpoint, "write", refuse)
        with pytest.raises(StorageError, match=r": a .* written \(No space left on device\);"):
            search(tmp_path)
    monkeypatch.setattr(tf.train.Checkpoint, "write", write)
    alpha, _, history = search(tmp_path)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert without_time(history) == without_time(uninterrupted[2])
    assert not list(tmp_path.rglob("*.partial"))


def test_a_directory_removed_while_it_runs_is_one_sentence(tmp_path):
    class Removed(Numbers):
        def epoch(self, epoch, start_step=0):
            if epoch == 1:
                shutil.rmtree(tmp_path / "run")
            return super().epoch(epoch, start_step)

    with pytest.raises(StorageError, match="cannot be written"):
        search(tmp_path / "run", data=Removed())
    assert not (tmp_path / "run").exists(), "what is gone is not made again in part"


def test_what_a_kill_at_birth_leaves_is_removed(tmp_path, uninterrupted):
    for name in (".config.json.abc_1234", ".config.json.abcd.partial"):
        (tmp_path / name).write_text("{")
    alpha, _, _ = search(tmp_path)
    np.testing.assert_array_equal(alpha, uninterrupted[0])
    assert not list(tmp_path.glob(".config*"))
