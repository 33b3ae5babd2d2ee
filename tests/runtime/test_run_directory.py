import errno
import fcntl
import json
import os
import subprocess
import sys
import threading

import pytest

from tf_darts import __version__
from tf_darts.errors import StateError, UserError
from tf_darts.runtime.run_directory import FollowedRun, RunDirectory

SETTINGS = {"mode": "search", "units": 8, "rate": 0.1}


@pytest.fixture
def open_run(tmp_path):
    """Opens a run under `tmp_path`, as a new process would: locks are given up at the end."""
    opened = []

    def make(settings=SETTINGS, name="run"):
        for before in opened:
            before.close()
        run = RunDirectory(tmp_path / name, settings)
        opened.append(run._lock)
        return run

    yield make
    for lock in opened:
        lock.close()


def test_a_new_run_writes_its_settings(open_run, tmp_path):
    run = open_run(name="deep/run")
    assert (run.path, run.resumed) == (tmp_path / "deep" / "run", False)
    document = json.loads((run.path / "config.json").read_text())
    assert document == {"tf_darts": __version__, "settings": SETTINGS}


def test_the_same_settings_resume(open_run):
    open_run()
    assert open_run(dict(reversed(SETTINGS.items()))).resumed


def test_other_settings_are_refused_and_named(open_run, tmp_path):
    open_run()
    with pytest.raises(UserError) as error:
        open_run({"mode": "search", "units": 16, "seed": 1})
    assert str(error.value) == (
        f"--run_dir={tmp_path / 'run'}: holds a run of another configuration (rate was 0.1 and is"
        " not set now; seed was not set and is now 1; units was 8 and is now 16); give another"
        " directory, or the same settings to resume it."
    )


def test_a_run_of_another_kind_is_told_as_one(open_run):
    """Not by what differs in its settings, which would be all of them."""
    open_run()
    with pytest.raises(UserError, match="a run of --mode=search; give one of --mode=train a"):
        open_run({"mode": "train", "epochs": 600})


def test_a_refusal_gives_the_directory_up(open_run, tmp_path):
    open_run()
    with pytest.raises(UserError):
        open_run({})
    # Although the refusal is still at hand, with everything that it refers to.
    assert open_run().resumed


@pytest.mark.parametrize("how", [RunDirectory.open, RunDirectory.read])
def test_so_does_one_of_a_run_that_is_opened_as_it_is(open_run, how):
    """As in a notebook, where what is broken is restored and tried again."""
    path = open_run().path
    open_run().close()
    content = (path / "config.json").read_text()
    (path / "config.json").write_text("{")
    with pytest.raises(UserError, match="restore it from a copy") as refusal:
        how(path)
    (path / "config.json").write_text(content)
    run, settings = RunDirectory.open(path)
    run.close()
    assert settings == SETTINGS and refusal.tb is not None


def test_a_directory_with_other_files_is_left_alone(open_run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("important")
    with pytest.raises(UserError, match=r"holds files but no run \(no config.json\)"):
        open_run()
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null", '{"settings": 3}', "\0"])
def test_a_broken_configuration(open_run, tmp_path, content):
    open_run()
    (tmp_path / "run" / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json: .*; restore it from a copy, or give anoth"):
        open_run()


def test_a_path_that_is_a_file(open_run, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match=r"run: cannot be written \(.*\); give another one"):
        open_run()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_path_that_may_not_be_written(open_run, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        open_run()


def test_home_is_expanded(open_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run = RunDirectory("~/run", SETTINGS)
    run._lock.close()
    assert (tmp_path / "run" / "config.json").exists()


def test_one_process_at_a_time(open_run):
    run = open_run()
    program = (
        "import sys; from tf_darts.runtime.run_directory import RunDirectory as R\n"
        "try: R(sys.argv[1], {})\nexcept Exception as error: print(type(error).__name__, error)"
    )
    command = [sys.executable, "-c", program, str(run.path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert text.startswith("StateError")
    assert "another process is running there; wait for it or give another directory." in text


def test_a_process_that_only_looks_is_waited_for(open_run, tmp_path):
    open_run()._lock.close()
    seen, _ = RunDirectory.read(tmp_path / "run")
    threading.Timer(0.1, seen.close).start()
    assert open_run().resumed


def test_where_there_are_no_locks_it_is_said(open_run, tmp_path, monkeypatch):
    open_run()._lock.close()

    def refuse(file, kind):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StateError, match=r"cannot be locked \(No locks available\), so that two"):
        open_run()
    run, settings = RunDirectory.read(tmp_path / "run")  # which needs none
    run.close()
    assert settings == SETTINGS


def test_a_worker_reads_its_own_files_or_the_chiefs(open_run):
    chief = open_run()
    worker = FollowedRun(chief.path, SETTINGS)
    assert worker.read_result() is None and worker.file("a.json") == chief.path / "a.json"
    chief.write_json("result.json", {"epoch": 1})
    assert worker.read_result() == {"epoch": 1}
    for name, document in (("result.json", {"epoch": 2}), ("a.json", {})):
        worker.write_json(name, document)
    assert worker.read_result() == {"epoch": 2} and worker.file("a.json") == worker.path / "a.json"
    assert not (chief.path / "a.json").exists() and chief.read_result() == {"epoch": 1}
    worker.close()


def test_history(open_run):
    run = open_run()
    assert run.read_history() == []
    records = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "cell": "tanh:0"}]
    run.write_history(records)
    assert run.read_history() == records
    run.write_history(records[:1])
    assert (run.path / "history.jsonl").read_text() == '{"epoch": 1, "loss": 0.5}\n'


def test_json(open_run):
    run = open_run()
    run.write_json("result.json", {"score": 1.5})
    assert json.loads((run.path / "result.json").read_text()) == {"score": 1.5}


def test_a_setting_that_an_older_run_lacks(tmp_path):
    RunDirectory(tmp_path, {"units": 8}).close()
    legacy = {"division": "shuffled", "of_other_runs": 1}
    with pytest.raises(UserError, match="division was 'shuffled' and is now 'by_class'"):
        RunDirectory(tmp_path, {"units": 8, "division": "by_class"}, legacy=legacy)
    run = RunDirectory(tmp_path, {"units": 8, "division": "shuffled"}, legacy=legacy)
    assert run.resumed
    run.close()
