import codecs
import pathlib
import re
import shutil
import subprocess

import pytest

from tf_darts.data.texts import corpus
from tf_darts.data.texts import registry as texts
from tf_darts.data.texts.text_files import read_lines
from tf_darts.errors import UserError

TEXT = "a café\nb “quoted”\n\nlast"
LINES = TEXT.split("\n")


def as_advised(sentence):
    """Does what a sentence says: puts in the place of a file what a command makes of it."""
    found = re.search(r"put in its place what (.*) > NEW makes of it", sentence)
    command = found[1]
    path = re.search(r"(\S+\.txt)$", command)[1]
    if not shutil.which(command.split()[0]):
        pytest.skip(f"no {command.split()[0]} on this machine")
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    pathlib.Path(path).write_bytes(done.stdout)


def test_lines_whatever_ends_them(tmp_path):
    path = tmp_path / "text"
    # A form feed and a line separator are white space here, not line ends.
    path.write_bytes("a\nb\r\n\n c\x0cd\u2028e".encode())
    assert read_lines(path) == ["a", "b", "", " c\x0cd\u2028e"]
    assert corpus.tokenize(" c\x0cd\u2028e") == ["c", "d", "e", "<eos>"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, mark, encoding, ends):
    path = tmp_path / "text"
    path.write_bytes(mark + TEXT.replace("\n", ends).encode(encoding))
    assert read_lines(path) == LINES


def test_nor_is_one_where_files_were_put_one_after_another(tmp_path):
    path = tmp_path / "text"
    path.write_bytes((codecs.BOM_UTF8 + b"a b\n") * 2)
    assert read_lines(path) == ["a b", "a b"]


def test_a_single_bad_byte_is_found(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("Сегодня\nхорошая ".encode() + b"\xff" + " погода\n".encode())
    with pytest.raises(UserError) as e:
        read_lines(path)
    place = f"{path}, line 2: not UTF-8 at byte 30 of the file (0xff); the rest is UTF-8; mend it"
    assert str(e.value).startswith(f"{place} there, or, if all of the file is ")


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("CP1252", TEXT),
        ("ISO-8859-1", "caf\xe9 and \x81, mostly plain letters"),  # no byte of CP1252
        ("GB18030", "今日天气很好\n公園へ行"),
        ("CP1251", "Сегодня хорошая погода\nМы идём"),
    ],
)
def test_another_encoding_is_named_with_a_command_that_works(tmp_path, encoding, written):
    path = tmp_path / "other.txt"
    path.write_bytes(written.encode(encoding))
    with pytest.raises(
        UserError, match=rf"not UTF-8 at byte \d+ .*, or, if all of the file is {encoding}, put"
    ) as e:
        read_lines(path)
    as_advised(str(e.value))
    assert read_lines(path) == written.split("\n")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(tmp_path, encoding):
    path = tmp_path / "wide.txt"
    path.write_bytes("some words\nof a text".encode(encoding))
    with pytest.raises(UserError, match=r"wide\.txt, line 1: a null character") as caught:
        read_lines(path)
    as_advised(str(caught.value))
    assert read_lines(path) == ["some words", "of a text"]


def test_a_null_character_is_no_text(tmp_path):
    path = tmp_path / "null.txt"
    path.write_bytes(b"some words\nof a\0 text, quite a long one")
    with pytest.raises(UserError, match=r"null\.txt, line 2: a null character") as caught:
        read_lines(path)
    as_advised(str(caught.value))
    assert read_lines(path) == ["some words", "of a text, quite a long one"]


def test_half_a_character(tmp_path):
    path = tmp_path / "cut.txt"
    path.write_bytes("words".encode("utf-16")[:-1])
    with pytest.raises(
        UserError, match=r"cut\.txt: not UTF-16 at byte \d+; .* copy the file again"
    ):
        read_lines(path)


def test_an_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"gone: cannot be read \(No such file"):
        read_lines(tmp_path / "gone")


def test_texts_from_reports_of_others(unpacked_case):
    """With marks and without, whatever ends the lines, whichever encoding, it is one text."""
    plain = texts.load("text", unpacked_case("V15_texts") / "t0_plain", with_test=True)
    marked = unpacked_case("V18_bom")
    encoded = unpacked_case("V19_encodings")
    assert not any("\ufeff" in word for word in plain.vocabulary.words)
    for folder in [*marked.iterdir(), encoded / "t2_utf16"]:
        made = texts.load("text", folder, with_test=True)
        assert made.vocabulary == plain.vocabulary, folder
        for part, numbers in plain.parts():
            assert getattr(made, part).tolist() == numbers.tolist(), folder
    with pytest.raises(UserError, match=r"train\.txt, line 1: not UTF-8 at byte 18 .* CP1252") as e:
        texts.load("text", encoded / "t2_cp1252")
    as_advised(str(e.value))
    assert "“w5”" in read_lines(encoded / "t2_cp1252" / "train.txt")[0]
    corpus.Corpus.summary(texts.load("text", encoded / "t2_cp1252", with_test=True))
