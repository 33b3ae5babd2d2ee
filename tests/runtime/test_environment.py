"""`environment.json`: every start of a run is in it, and nothing depends on it."""

import json
import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tf_darts.cli.members import load_members
from tf_darts.runtime import environment as module
from tf_darts.runtime.environment import (
    ENVIRONMENT,
    environment,
    in_short,
    in_words,
    record_start,
    recorded_environment,
    versions,
)


def starts(path):
    return json.loads((path / ENVIRONMENT).read_text(encoding="utf-8"))["starts"]


def test_it_says_versions_devices_processor_and_system():
    known = environment()
    assert known["versions"].keys() >= {"tf_darts", "Python", "TensorFlow", "Keras", "NumPy"}
    assert known["versions"]["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert known["devices"][0] == "CPU" and known["processor"] and known["system"]
    assert re.search(r"\d+ cores? for this process$", known["processor"])


@pytest.mark.parametrize(("said", "known"), [("0", "0"), (None, "as TensorFlow decides")])
def test_it_says_whether_onednn_was_asked_for(monkeypatch, said, known):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if said:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", said)
    assert environment()["onednn"] == known


def test_a_start_is_whole_and_a_resume_says_what_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "it", "--name=a b"])
    record_start(tmp_path)
    record_start(tmp_path)
    first, second = starts(tmp_path)
    assert first.keys() == {"time", "command", *environment()}
    assert first["command"] == "python -m it '--name=a b'"
    assert second.keys() == {"time", "command"}
    monkeypatch.setattr(module, "__version__", "9.9")
    record_start(tmp_path)
    third = starts(tmp_path)[2]
    assert third.keys() == {"time", "command", "versions"}
    whole = recorded_environment(tmp_path)
    assert len(whole) == 3 and whole[1] == first | second
    assert whole[2]["versions"]["tf_darts"] == "9.9" and whole[2]["devices"] == first["devices"]
    assert re.fullmatch(r".*tf_darts 9\.9.*; begun 20.*, started 3 times", in_short(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [ENVIRONMENT]


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"onednn": "0"}, {"onednn": "1"}, "oneDNN off, now oneDNN on."),
        ({}, {"onednn": "1"}, "oneDNN as TensorFlow decides, now oneDNN on."),  # of an old run
        (
            {"onednn": "1", "versions": {"TensorFlow": "2.20.0"}, "devices": ["CPU"]},
            {
                "onednn": "1",
                "versions": {"TensorFlow": "2.21.0"},
                "devices": ["CPU", "GPU: NVIDIA H100"],
            },
            "TensorFlow 2.20.0, now 2.21.0; CPU, now CPU and GPU: NVIDIA H100.",
        ),
        ({"versions": {"NumPy": "1"}}, {"versions": {"NumPy": "2"}}, None),
    ],
)
def test_a_resume_says_what_may_round_otherwise(tmp_path, monkeypatch, capsys, before, now, told):
    same = {"processor": "one, 2 cores for this process"}
    monkeypatch.setattr(module, "environment", lambda: same | before)
    record_start(tmp_path)
    assert not capsys.readouterr().err
    monkeypatch.setattr(module, "environment", lambda: same | now)
    record_start(tmp_path)
    record_start(tmp_path)  # the second time nothing is new
    said = capsys.readouterr().err
    if told is None:
        assert not said
    else:
        assert said.count(f"{tmp_path} was computed with {told} What is computed from") == 1


def test_times_are_utc_to_the_second(tmp_path):
    record_start(tmp_path)
    (start,) = starts(tmp_path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", start["time"])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"starts": 3}', '{"starts": [3]}', "\x00"])
def test_a_broken_file_is_begun_anew_and_said(tmp_path, capsys, content):
    (tmp_path / ENVIRONMENT).write_text(content, encoding="utf-8")
    assert in_short(tmp_path) == "environment.json cannot be read"
    record_start(tmp_path)
    assert len(starts(tmp_path)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tf_darts: ") and line.endswith("begun anew; the run goes on.")


def test_a_resume_says_that_a_loaded_file_has_changed(tmp_path, monkeypatch, capsys):
    forget_members(monkeypatch)
    run, file, same = tmp_path / "run", tmp_path / "own.py", tmp_path / "same.py"
    run.mkdir()
    file.write_text("A = 1\n", encoding="utf-8")
    same.write_text("", encoding="utf-8")
    load_members([str(file), str(same)])
    record_start(run)
    record_start(run)
    first, second = starts(run)
    assert [*first["own_files"]] == ["own.py", "same.py"] and "own_files" not in second
    file.write_text("A = 2\n", encoding="utf-8")
    record_start(run)
    assert capsys.readouterr().err == ""
    assert "own_files" not in starts(run)[2], "what was loaded is as it was"
    forget_members(monkeypatch)
    load_members([str(file), str(same)])
    file.unlink()
    record_start(run)
    said = capsys.readouterr().err
    assert said.startswith(f"tf_darts: {run} was begun with another own.py. What is computed")
    assert "same" not in said and starts(run)[3]["own_files"] != first["own_files"]


def test_two_loaded_files_of_one_name_are_two(tmp_path, monkeypatch, capsys):
    forget_members(monkeypatch)
    run, files = tmp_path / "run", [tmp_path / "one" / "own.py", tmp_path / "two" / "own.py"]
    run.mkdir()
    for number, file in enumerate(files):
        file.parent.mkdir()
        file.write_text(f"A = {number}\n", encoding="utf-8")
    load_members([str(file) for file in files])
    record_start(run)
    assert [*starts(run)[0]["own_files"]] == [str(file) for file in files]
    forget_members(monkeypatch)
    files[0].write_text("A = 2\n", encoding="utf-8")
    load_members([str(file) for file in files])
    record_start(run)
    said = capsys.readouterr().err
    assert f"another {files[0]}. What" in said and str(files[1]) not in said


def test_old_runs_have_none(tmp_path):
    assert recorded_environment(tmp_path) == [] and in_short(tmp_path) == "not recorded"
    assert in_words({}) == ""


def test_the_commit_of_a_checkout(tmp_path, monkeypatch):
    def git(*words):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    monkeypatch.setattr(module, "_ROOT", tmp_path)
    assert "commit" not in module._versions() or module._installed_commit()
    git("init")
    git("-c", "user.name=a", "-c", "user.email=b", "commit", "--allow-empty", "-m", "one")
    commit = module._versions()["commit"]
    assert re.fullmatch(r"[0-9a-f]{7,}", commit) and f"(commit {commit})" in versions()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "commit" not in module._versions()  # no git


def test_versions_need_no_tensorflow():
    code = (
        "import sys; from tf_darts.runtime.environment import versions; print(versions());"
        " assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.match(r"tf_darts \d+\.\d+\.\d+.*, Python 3.*, TensorFlow 2", done.stdout)
