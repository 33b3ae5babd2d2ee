"""What takes long is said while it takes long, and nothing of what is quick."""

import re
import time

import pytest

from tf_darts.runtime import busy


def test_what_is_quick_is_not_said(capsys):
    with busy.busy("Compiling"):
        pass
    assert capsys.readouterr().out == ""


def test_what_is_slow_is_said_meanwhile(capsys, monkeypatch):
    monkeypatch.setattr(busy, "PATIENCE", 0.05)
    monkeypatch.setattr(busy, "INTERVAL", 0.05)
    with busy.busy("Compiling"):
        deadline, said = time.monotonic() + 20, ""
        while "so far" not in said and time.monotonic() < deadline:
            time.sleep(0.02)
            said += capsys.readouterr().out
    first, second, *_ = said.splitlines()
    assert first == "Compiling …" and second == "Compiling: 0 s so far …"
    assert capsys.readouterr().out.splitlines()[-1].startswith("Compiling: ")


def test_it_is_said_where_it_is_asked_for(capsys, monkeypatch):
    monkeypatch.setattr(busy, "PATIENCE", 0.0)
    lines = []
    with busy.busy("Loading", write=lines.append):
        time.sleep(0.1)
    assert lines == ["Loading …", "Loading: 0 s."] and capsys.readouterr().out == ""


def test_an_error_passes_and_ends_it(capsys, monkeypatch):
    with pytest.raises(ValueError, match="what it is"), busy.busy("Compiling"):
        raise ValueError("what it is")
    monkeypatch.setattr(busy, "PATIENCE", 0.0)
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().out == ""


def test_of_counted_pieces_the_time_left_is_said(capsys, monkeypatch):
    monkeypatch.setattr(busy, "PATIENCE", 0.01)
    monkeypatch.setattr(busy, "INTERVAL", 0.01)
    with busy.busy("Scoring", 400) as piece_done:
        piece_done()
        deadline, said = time.monotonic() + 20, ""
        while "left" not in said and time.monotonic() < deadline:
            time.sleep(0.02)
            said += capsys.readouterr().out
    assert re.search(r"^Scoring: 1 of 400 in 0 s so far, \d+ s left …$", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("seconds", "done", "pieces", "words"),
    [
        (20.2, 0, 0, "20 s so far"),
        (20.2, 0, 10, "20 s so far"),  # nothing is known yet
        (20.0, 4, 10, "4 of 10 in 20 s so far, 30 s left"),
        (30.0, 10, 1000, "10 of 1000 in 30 s so far, 50 minutes left"),
    ],
)
def test_the_time_left_is_that_of_the_other_pieces(seconds, done, pieces, words):
    assert busy._so_far(seconds, done, pieces) == words
