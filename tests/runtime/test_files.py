import errno
import json
import os
import pathlib
import stat

import pytest

from tf_darts.errors import StorageError, UserError
from tf_darts.runtime import files
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


@pytest.mark.parametrize(("umask", "rights"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_rights_are_those_that_a_new_file_has(tmp_path, umask, rights):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == rights


def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_atomically(file, "old")

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=r"file: cannot be written \(No space left on device\)"):
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


def test_a_directory_that_is_gone_is_one_sentence(tmp_path):
    with pytest.raises(StorageError, match=r"cannot be written \(No such file or directory\)"):
        write_atomically(tmp_path / "gone" / "file", "new")


@pytest.mark.parametrize(
    "question",
    [
        files.exists,
        files.is_file,
        files.is_directory,
        files.entries,
        files.read_bytes,
        files.read_text,
        files.read_json,
        files.read_json_lines,
    ],
)
@pytest.mark.parametrize("name", ["a" * 5000, "/".join(["long" * 60] * 40)])
def test_a_text_that_is_no_path_is_one_short_sentence(question, name):
    with pytest.raises(UserError) as caught:
        question(name)
    assert "File name too long" in str(caught.value)
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "line 1: Expecting value"),
        (b'{"a": 1,\n"b": }', "line 2: Expecting value"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"null", "line 1 holds null in place of an object"),
        (b"[]", "line 1 holds a list in place of an object"),
        (b"3", "line 1 holds a number in place of an object"),
        (b'{"a": {"b": 1, "b": 2}}', "line 1: the key 'b' is there twice"),
        (b"[" * 100_000, "line 1: "),
    ],
)
def test_a_broken_json_file_is_one_sentence(tmp_path, content, why):
    file = tmp_path / "file.json"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        files.read_json(file, "restore it from a copy")
    assert f"{file}: cannot be read ({why}" in str(caught.value)
    assert str(caught.value).endswith("; restore it from a copy.")


def test_a_broken_line_is_named_by_its_number(tmp_path):
    file = tmp_path / "file.jsonl"
    file.write_text('{"a": 1}\nnull\n')
    with pytest.raises(UserError, match="line 2 holds null in place of an object"):
        files.read_json_lines(file)
    file.write_text('{"a": 1}\n{"a": 2}')
    with pytest.raises(UserError, match="line 2 is cut off"):
        files.read_json_lines(file)


def test_whole_files_are_read(tmp_path):
    file = tmp_path / "file"
    write_atomically(file, json.dumps({"a": [1]}) + "\n")
    assert files.read_json(file) == {"a": [1]}
    assert files.read_json_lines(file) == [{"a": [1]}]
    assert files.entries(tmp_path) == [file]
