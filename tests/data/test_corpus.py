import pathlib

import numpy as np
import pytest

from tf_darts.data import corpus
from tf_darts.data.vocabulary import Vocabulary
from tf_darts.errors import UserError

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared"
NAMES = {"train": ("a.txt", "b.txt"), "validation": ("v.txt",), "test": ("t.txt",)}


def lines(*text):
    return corpus.Lines("source", text)


def test_three_texts_share_the_training_vocabulary():
    parts = {"train": lines("a b", "a"), "validation": lines("b"), "test": lines("a", "b a")}
    made = corpus.from_lines("mine", parts)
    assert made.name == "mine"
    assert made.vocabulary.words == ("a", "b", "<eos>")
    assert made.train.tolist() == [0, 1, 2, 0, 2]
    assert made.validation.tolist() == [1, 2]
    assert made.test.tolist() == [0, 2, 1, 0, 2]
    assert {made.train.dtype, made.validation.dtype, made.test.dtype} == {np.dtype(np.int32)}


def test_blank_lines_are_an_eos_each():
    made = corpus.from_lines("mine", dict.fromkeys(corpus.PARTS, lines(" ", "a", "", "\t")))
    assert made.train.tolist() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("text", [(), ("",), (" ", "\t")])
def test_a_part_without_words_is_an_error(text):
    parts = {"train": lines("a"), "validation": corpus.Lines("v.txt", text), "test": lines("a")}
    with pytest.raises(UserError, match=r"^v\.txt has no words; put"):
        corpus.from_lines("mine", parts)


def test_a_new_word_is_reported_with_its_line():
    parts = {"train": lines("a"), "validation": lines("a"), "test": lines("a", "", "a zebra")}
    with pytest.raises(UserError, match=r"^source, line 3: the word 'zebra'.*--min_count=2"):
        corpus.from_lines("mine", parts)
    assert corpus.from_lines("mine", parts, min_count=2).test.tolist()[-2] == 0


def test_reads_lines_whatever_ends_them(tmp_path):
    path = tmp_path / "text"
    # A form feed and a line separator are white space here, not line ends.
    path.write_bytes("a\nb\r\n\n c\x0cd\u2028e".encode())
    assert corpus.read_lines(path) == ["a", "b", "", " c\x0cd\u2028e"]
    assert corpus.tokenize(" c\x0cd\u2028e") == ["c", "d", "e", "<eos>"]


def test_other_encodings_are_an_error(tmp_path):
    path = tmp_path / "latin1.txt"
    path.write_bytes("good café".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin1\.txt: not UTF-8 at byte 8 .*iconv"):
        corpus.read_lines(path)


def test_an_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"gone: cannot read the text \(No such file"):
        corpus.read_lines(tmp_path / "gone")


def test_finds_files_by_the_preferred_name(tmp_path):
    for name in ("b.txt", "v.txt", "t.txt"):
        (tmp_path / name).touch()
    assert corpus.find_files(tmp_path, NAMES)["train"] == tmp_path / "b.txt"
    (tmp_path / "a.txt").touch()
    assert corpus.find_files(tmp_path, NAMES)["train"] == tmp_path / "a.txt"


def test_no_file_is_no_error_but_some_are(tmp_path):
    assert corpus.find_files(tmp_path, NAMES) == {}
    (tmp_path / "v.txt").touch()
    with pytest.raises(UserError, match=r"has v\.txt but no train text; .* a\.txt or b\.txt\.$"):
        corpus.find_files(tmp_path, NAMES)


def test_the_test_part_is_only_looked_for_when_it_is_asked_for(tmp_path):
    for name in ("a.txt", "v.txt"):
        (tmp_path / name).touch()
    assert list(corpus.find_files(tmp_path, NAMES)) == ["train", "validation"]
    with pytest.raises(UserError, match=r"no test text; put it there as t\.txt\.$"):
        corpus.find_files(tmp_path, NAMES, with_test=True)
    (tmp_path / "t.txt").mkdir()  # not a file
    assert "test" not in corpus.find_files(tmp_path, NAMES)
    (tmp_path / "t.txt").rmdir()
    (tmp_path / "t.txt").touch()
    assert list(corpus.find_files(tmp_path, NAMES)) == ["train", "validation"]
    assert list(corpus.find_files(tmp_path, NAMES, with_test=True)) == list(corpus.PARTS)


def test_without_a_test_part():
    parts = {"train": lines("a b"), "validation": lines("b")}
    assert corpus.from_lines("mine", parts).test is None
    assert corpus.parts_to_read(False) == ("train", "validation")
    assert corpus.parts_to_read(True) == corpus.PARTS


def test_from_files(tmp_path):
    files = {part: tmp_path / part for part in corpus.PARTS}
    for path in files.values():
        path.write_text("a b\n")
    assert corpus.from_files("mine", files).test.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("part", "tokens"), [("valid", 217_646), ("test", 245_569)])
def test_wikitext2_has_the_published_number_of_tokens(part, tokens):
    path = SHARED / "data" / "wikitext-2" / f"wiki.{part}.tokens"
    if not path.exists():
        pytest.skip("the WikiText-2 texts are not beside this checkout")
    text = corpus.Lines(str(path), corpus.read_lines(path))
    assert len(corpus.encode(text, Vocabulary(("<unk>",)))) == tokens
