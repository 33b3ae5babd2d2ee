"""What takes long is said while it takes long, and nothing of what is quick."""

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


def test_an_error_passes_and_ends_it(capsys, monkeypatch):
    with pytest.raises(ValueError, match="what it is"), busy.busy("Compiling"):
        raise ValueError("what it is")
    monkeypatch.setattr(busy, "PATIENCE", 0.0)
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().out == ""
