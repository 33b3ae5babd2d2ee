import os
import pathlib
import stat

import pytest

from tf_darts.runtime.files import write_atomically


def test_text_is_utf8_and_bytes_are_as_they_are(tmp_path):
    write_atomically(tmp_path / "text", "α ≈ ξ\n")
    write_atomically(str(tmp_path / "bytes"), b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == "α ≈ ξ\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_replaces_and_leaves_nothing_else(tmp_path):
    file = tmp_path / "file"
    write_atomically(file, "old")
    write_atomically(file, "new")
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_atomically(file, "old")

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_atomically(file, "old")
    seen = []
    replace = pathlib.Path.replace

    def watch(self, target):
        seen.append((self.read_text(), pathlib.Path(target).read_text()))
        return replace(self, target)

    monkeypatch.setattr(pathlib.Path, "replace", watch)
    write_atomically(file, "new")
    assert seen == [("new", "old")]
