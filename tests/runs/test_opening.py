"""A batch that cannot be cut: refused, or rounded, said and recorded."""

import os

import pytest

from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.runs import search
from tf_darts.runs.opening import check_directory, on_devices, settings_of
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest


def asked(run, **more):
    settings = {"mode": "search", "dataset": "digits", "run_dir": str(run)}
    return configure(settings | {"channels": 2, "layers": 3} | more)


def recorded(run, **more):
    """A run that was begun."""
    config, replicas = on_devices(asked(run, **more))
    return RunDirectory(
        run, settings_of(config, replicas) | search.cell_settings(config, config.cells)
    )


def other_run(run):
    recorded(run, channels=4).close()


def held_run(run):
    return recorded(run)


SEARCH = {"mode": "search", "dataset": "digits", "micro_batches": 4}


def test_a_batch_is_rounded_and_recorded(capsys):
    config, replicas = on_devices(configure(SEARCH | {"batch_size": 63, "global_batch": "round"}))
    assert config.batch_size == 64
    said = capsys.readouterr().out
    assert "rounded from 63 to 64 examples, the nearest multiple of its 4 parts" in said
    # What is recorded is what is computed: with the batch itself the run goes on.
    same, _ = on_devices(configure(SEARCH | {"batch_size": 64}))
    assert settings_of(config, replicas)["batch_size"] == 64
    assert settings_of(config, replicas) == settings_of(same, replicas)
    assert not capsys.readouterr().out


def test_by_default_it_is_refused_and_the_advice_works():
    with pytest.raises(UserError, match=r"or --global_batch=round, which takes the nearest"):
        on_devices(configure(SEARCH | {"batch_size": 63}))


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda run: (run.mkdir(), (run / "notes").touch()), "holds files but no run"),
        (lambda run: (run.mkdir(), (run / ".film.partial").touch()), "holds files but no run"),
        (lambda run: (run / ".config.json.0a1b.partial").mkdir(parents=True), "holds files"),
        (lambda run: run.touch(), "a file is there, and a directory is wanted"),
        (lambda run: other_run(run), r"another configuration \(channels"),
        (held_run, "another process is running there"),
    ],
)
def test_a_directory_is_refused_before_there_is_work(tmp_path, prepare, words, monkeypatch):
    monkeypatch.setattr(search, "search_task", None)  # which reads the data
    held = prepare(tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=words):
        search.run_search(asked(tmp_path / "run"), StopRequest())
    assert sorted(tmp_path.rglob("*")) == before
    if isinstance(held, RunDirectory):
        held.close()


@pytest.mark.parametrize("left", [".config.json.0a1b2c3d.partial", ".config.json.abc_1234"])
def test_a_run_killed_at_birth_begins_again(tmp_path, left, monkeypatch):
    """What it left of `config.json` is nobody's."""

    class Work(Exception):
        pass

    def begin(*arguments):
        raise Work

    monkeypatch.setattr(search, "search_task", begin)
    (tmp_path / left).write_text("{")
    (tmp_path / ".lock").touch()
    with pytest.raises(Work):
        search.run_search(asked(tmp_path), StopRequest())
    recorded(tmp_path).close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".lock", "config.json"]


def test_a_directory_of_which_tensorflow_cannot_say_the_name_is_refused(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9") / "run"
    with pytest.raises(UserError, match=r"caf.udce9/run: has bytes that are no UTF-8"):
        check_directory(path, {})
    check_directory(tmp_path / "café" / "run", {})


def test_a_directory_that_may_not_be_written_is_refused_before_there_is_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(UserError, match=rf"run: {tmp_path} may not be written; give another one\."):
        check_directory(tmp_path / "deep" / "run", {})
    monkeypatch.undo()
    check_directory(tmp_path / "deep" / "run", {})
    assert not (tmp_path / "deep").exists(), "it is only looked at"
