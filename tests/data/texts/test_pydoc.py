import sys

import numpy as np
import pytest

from tf_darts.data.texts import pydoc
from tf_darts.errors import UserError


@pytest.fixture(scope="module")
def corpus():
    return pydoc.load(None, 1, with_test=True)


def test_is_big_enough_and_split_8_1_1(corpus):
    sizes = np.array([len(corpus.train), len(corpus.validation), len(corpus.test)])
    assert 70_000 < sizes.sum() < 130_000
    np.testing.assert_allclose(sizes / sizes.sum(), [0.8, 0.1, 0.1], atol=0.02)
    assert 1_000 < corpus.vocabulary.size < 5_000


def test_is_the_same_every_time(corpus):
    again = pydoc.load(None, 1)
    assert again.vocabulary == corpus.vocabulary
    np.testing.assert_array_equal(again.train, corpus.train)


def test_most_words_are_known(corpus):
    unknown = corpus.vocabulary.index["<unk>"]
    assert (corpus.train == unknown).mean() < 0.03
    assert (corpus.validation == unknown).mean() < 0.12


def test_min_count_shrinks_the_vocabulary(corpus):
    assert pydoc.load(None, 5).vocabulary.size < corpus.vocabulary.size / 1.5


def test_tokens():
    line = "   Use x_1 **twice**, e.g. 3.14 or 0x1F... or 2. Don't\n"
    assert pydoc._tokenize(line) == "use x_1 ** twice ** , e . g . N or N ... or N . don ' t"


def test_held_out_paragraphs_are_not_in_the_training_text(monkeypatch):
    # Topics of different lengths that quote one another, as the real ones do.
    topics = {
        f"topic{i:02}": "\n\n".join(f"paragraph {'ab'[j % 2]}x{j}\nof two lines" for j in range(i))
        for i in range(1, 40)
    }
    monkeypatch.setattr(pydoc, "_topics", lambda: topics)
    held = {part: [] for part in ("train", "validation", "test")}
    for part, lines in pydoc._split(pydoc._distinct_lines(topics)):
        held[part] += [line for line in lines if "paragraph" in line]
    assert sum(map(len, held.values())) == 39  # each once
    assert all(len(lines) == len(set(lines)) for lines in held.values())
    assert held["validation"] and held["test"]


def test_rules_and_blank_lines_are_left_out():
    topics = {"t": "Title\n*****\n\n+---+---+\n| a | b |\n+---+---+\n"}
    assert list(pydoc._distinct_lines(topics)) == [["title", "| a | b |"]]


def test_takes_no_directory(tmp_path):
    with pytest.raises(UserError, match="pydoc is embedded and takes no --data_dir"):
        pydoc.load(tmp_path, 1)


def test_a_python_without_the_topics(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(UserError, match=r"needs Python's module pydoc_data\.topics"):
        pydoc.load(None, 1)
