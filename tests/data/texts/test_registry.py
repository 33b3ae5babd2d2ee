import os
import pathlib
import re

import pytest

from tf_darts.data.texts import registry
from tf_darts.errors import UserError


@pytest.fixture
def own(tmp_path):
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text("a b\na\n")
    return tmp_path


def test_the_users_own_text(own):
    made = registry.load("text", str(own), with_test=True)
    assert (made.name, made.vocabulary.words) == ("text", ("a", "b", "<eos>"))
    assert made.test.tolist() == [0, 1, 2, 0, 2]


def test_min_count_is_passed_on(own):
    assert registry.load("text", own, min_count=2).vocabulary.words == ("a", "<unk>", "<eos>")


def test_home_is_expanded(own, monkeypatch):
    monkeypatch.setenv("HOME", str(own))
    assert registry.load("text", "~").name == "text"


@pytest.mark.parametrize("data_dir", [None, ""])
def test_own_text_needs_a_directory(data_dir):
    with pytest.raises(UserError, match=r"--data_dir=DIR with train\.txt, valid\.txt and .*test"):
        registry.load("text", data_dir)


def test_own_text_in_an_empty_directory(tmp_path):
    with pytest.raises(UserError, match=rf"found no text in {tmp_path}; give --data_dir"):
        registry.load("text", tmp_path)


def test_own_text_incomplete(own):
    (own / "valid.txt").unlink()
    with pytest.raises(UserError, match=r"no validation text; put it there as valid\.txt\."):
        registry.load("text", own)


@pytest.mark.parametrize("name", ["text", "ptb", "wikitext2"])
@pytest.mark.parametrize("state", ["missing", "a directory", "a pipe", "not text"])
def test_the_test_file_is_not_opened_unless_asked_for(own, name, state):
    path = own / "test.txt"
    path.unlink()
    if state == "a directory":
        path.mkdir()
    elif state == "a pipe":
        os.mkfifo(path)  # whoever opens it waits forever
    elif state == "not text":
        path.write_bytes(b"\xff\xff")
    made = registry.load(name, own)
    assert made.test is None
    assert len(made.validation) == 5
    with pytest.raises(UserError, match="no test text" if state != "not text" else "not UTF-8"):
        registry.load(name, own, with_test=True)


def test_no_other_file_than_the_two_is_opened(own, monkeypatch):
    opened = []
    read = pathlib.Path.read_bytes
    monkeypatch.setattr(
        pathlib.Path, "read_bytes", lambda path: opened.append(path.name) or read(path)
    )
    registry.load("text", own)
    assert opened == ["train.txt", "valid.txt"]
    registry.load("text", own, with_test=True)
    assert opened[2:] == ["train.txt", "valid.txt", "test.txt"]


def test_the_vocabulary_is_that_of_the_training_text_alone(own):
    (own / "test.txt").write_text("zebra\n")
    without = registry.load("text", own, min_count=2)
    made = registry.load("text", own, min_count=2, with_test=True)
    assert made.vocabulary == without.vocabulary
    assert "zebra" not in made.vocabulary.words
    assert made.test.tolist()[0] == made.vocabulary.index["<unk>"]


def test_own_text_empty(own):
    (own / "train.txt").write_text("")
    with pytest.raises(UserError, match=r"train\.txt has no words"):
        registry.load("text", own)


def test_embedded():
    assert registry.load("pydoc").name == "pydoc"
    assert registry.load("pydoc", "").name == "pydoc"
    assert registry.load("pydoc").test is None
    assert len(registry.load("pydoc", with_test=True).test) > 5_000


@pytest.mark.parametrize("name", list(registry.TEXT_DATASETS))
def test_directory_that_is_not_there(name, tmp_path):
    with pytest.raises(UserError, match=r"nowhere is not a directory; give one that exists"):
        registry.load(name, tmp_path / "nowhere")


def test_directory_that_is_a_file(own):
    with pytest.raises(UserError, match="is not a directory"):
        registry.load("text", own / "train.txt")


def test_unknown_name():
    with pytest.raises(UserError, match=r"--dataset=pbt .* ptb, wikitext2, pydoc, text\.$"):
        registry.load("pbt")


def test_what_is_missing_is_put_where_the_sentences_say(tmp_path):
    """Each sentence is done, and the next one comes, until there is a text."""
    directory = tmp_path / "texts"
    said = []
    for _ in range(6):
        try:
            made = registry.load("text", directory, with_test=True)
        except UserError as error:
            said.append(str(error))
        else:
            break
        if "is not a directory; give one that exists" in said[-1]:
            directory.mkdir(parents=True)
        elif "with train.txt, valid.txt and (for a test) test.txt in it" in said[-1]:
            (directory / "train.txt").write_text("")
        elif found := re.search(r"put it there as (\w+\.txt)\.$", said[-1]):
            (directory / found[1]).write_text(
                "a b\na\n" if found[1] == "valid.txt" else "b a b a\n"
            )
        else:
            assert said[-1].endswith("has no words; put a text there, one sentence a line.")
            (directory / "train.txt").write_text("a b\na b a\n")
    assert made.summary().startswith("Read text: train 2 lines, 7 tokens") and len(said) == 5
