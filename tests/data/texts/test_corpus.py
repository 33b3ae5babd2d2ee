import numpy as np
import pytest

from tests.support.paths import SHARED
from tf_darts.data.texts import corpus
from tf_darts.data.texts import registry as texts
from tf_darts.data.texts.text_files import read_lines
from tf_darts.data.texts.vocabulary import Vocabulary
from tf_darts.errors import UserError

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
    parts = {"train": lines("a a"), "validation": lines("a"), "test": lines("a", "", "a zebra")}
    with pytest.raises(UserError, match=r"^source, line 3: the word 'zebra'.*--min_count=2"):
        corpus.from_lines("mine", parts)
    assert corpus.from_lines("mine", parts, min_count=2).test.tolist()[-2] == 2


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
    text = corpus.Lines(str(path), read_lines(path))
    assert len(corpus.encode(text, Vocabulary(("<unk>",)))) == tokens


@pytest.fixture
def warnings(monkeypatch):
    """What is warned of, a line each."""
    said = []
    monkeypatch.setattr(corpus.logging, "warning", lambda line, *given: said.append(line % given))
    return said


def test_a_summary_says_what_was_read():
    parts = {"train": lines("a b <unk>", "a"), "validation": lines("b <unk>"), "test": lines("a")}
    made = corpus.from_lines("mine", parts)
    assert made.summary() == (
        "Read mine: train 2 lines, 6 tokens (25.0 % <unk>); validation 1 lines, 3 tokens (50.0 %"
        " <unk>); test 1 lines, 2 tokens (0.0 % <unk>); a vocabulary of 4 words."
    )


def test_a_text_as_it_should_be_is_not_warned_of(warnings):
    parts = {"train": lines("a b <unk>", "a a"), "validation": lines("b a"), "test": lines("a")}
    corpus.from_lines("mine", parts)
    assert not warnings


@pytest.mark.parametrize("min_count", [2, 1_000_000])
def test_a_vocabulary_without_a_word_is_an_error(min_count):
    parts = {"train": lines("今天", "天气"), "validation": lines("很好")}
    with pytest.raises(UserError, match=rf"min_count={min_count} no word is left .* lower") as e:
        corpus.from_lines("mine", parts, min_count)
    assert "put them between its words or characters" in str(e.value)


def test_text_without_spaces_is_split_as_advised(warnings):
    texts = {"train": ["今天天气很好", "天气好"], "validation": ["今天天气好啊"]}

    def made(min_count=1):
        return corpus.from_lines("mine", {k: lines(*v) for k, v in texts.items()}, min_count)

    with pytest.raises(
        UserError, match=r"^source, line 1: the word '今天天气好啊' .*; most of its"
    ):
        made()
    # "put them between its words or characters, in all its parts"
    texts = {part: [" ".join(line) for line in text] for part, text in texts.items()}
    with pytest.raises(UserError, match=r"the word '啊' does not .*; --min_count=2 maps"):
        made()
    found = made(min_count=2)
    assert found.vocabulary.words == ("<unk>", "天", "气", "好", "<eos>")
    assert found.unknown(found.train) < 0.5 and not warnings


def test_a_long_word_is_cut_in_the_error():
    parts = {"train": lines("a"), "validation": lines("x" * 100_000)}
    with pytest.raises(UserError) as e:
        corpus.from_lines("mine", parts)
    assert len(str(e.value)) < 600


def test_mostly_unknown_words_are_warned_of(warnings):
    parts = {"train": lines("a a b b", "c"), "validation": corpus.Lines("valid.txt", ["x y a"])}
    corpus.from_lines("mine", parts, min_count=2)
    assert len(warnings) == 1
    assert warnings[0].startswith("The words of the text are mostly <unk> (67 % of valid.txt), so")


def test_the_same_text_twice_is_warned_of(warnings):
    parts = {
        "train": corpus.Lines("train.txt", ["a b"]),
        "validation": corpus.Lines("valid.txt", ["a b"]),
    }
    corpus.from_lines("mine", parts)
    assert len(warnings) == 1 and warnings[0].startswith("train.txt and valid.txt hold the same")


def test_swapped_parts_are_warned_of(warnings):
    parts = {"train": lines("a b"), "validation": lines("a", "b", "a")}
    corpus.from_lines("mine", parts)
    assert len(warnings) == 1 and "has 3 tokens, fewer than the 6 of source" in warnings[0]


def test_chinese_from_a_report(unpacked_case, tmp_path):
    folder = unpacked_case("V21_chinese") / "t4_chinese_real"
    with pytest.raises(UserError, match="no word is left but <eos> and <unk>"):
        texts.load("text", folder, min_count=2)
    with pytest.raises(UserError, match="most of its words occur once"):
        texts.load("text", folder)
    for file in folder.iterdir():
        split = [" ".join(line) for line in file.read_text(encoding="utf-8").splitlines()]
        file.write_text("\n".join(split), encoding="utf-8")
    made = texts.load("text", folder, min_count=2, with_test=True)
    assert made.vocabulary.size > 100
    assert all(made.unknown(numbers) < 0.1 for _, numbers in made.parts())
