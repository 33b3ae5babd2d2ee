import numpy as np
import pytest
import tensorflow as tf

from tf_darts.data.asset_files import listed
from tf_darts.data.texts.corpus import Lines, encode
from tf_darts.data.texts.text_files import read_lines
from tf_darts.data.texts.vocabulary import Vocabulary
from tf_darts.formats.word_table import WordTable

WORDS = ("the", "cat", "<eos>", "sat", "<unk>", "größe")
# Everything that Python takes for white space and TensorFlow's own splitting may not.
SPACES = "".join(c for c in map(chr, range(0x3001)) if c.isspace() and c not in "\r\n")


def table(tmp_path, words=WORDS):
    (tmp_path / "vocabulary.txt").write_text(listed(words), encoding="utf-8")
    return WordTable(words, tmp_path / "vocabulary.txt", word_limit=100)


def rows(numbers, lengths):
    return [row[:n].tolist() for row, n in zip(numbers.numpy(), lengths.numpy(), strict=True)]


@pytest.mark.parametrize(
    "lines",
    [
        ["the cat sat"],
        ["the  cat ", "", "sat größe unheard"],
        [SPACES.join(["the", "cat", "sat"])],
        ["", ""],
        ["<eos> the"],
    ],
)
def test_texts_are_read_as_the_corpus_was(tmp_path, lines):
    expected = encode(Lines("x", lines), Vocabulary(WORDS)).tolist()
    text = "\n".join(lines)
    one = table(tmp_path)
    for end in ("\n", "\r\n", "\r"):
        written = text.replace("\n", end) + end
        assert rows(*one.encode_lines(tf.constant([written]))) == [expected]
    assert rows(*one.encode_lines(tf.constant([text, "cat"])))[1] == [1, 2]


MARK = "\ufeff"


@pytest.mark.parametrize(
    "text",
    [
        f"{MARK}the cat",
        f"{MARK}the\n{MARK}{MARK}cat sat\r\n{MARK} the\n",
        f"the {MARK}cat{MARK}\nthe{MARK}\n",
        f"the\n{MARK}",
        f"the\n{MARK}\n",
        MARK,
    ],
)
def test_byte_order_marks_are_read_as_in_a_file(tmp_path, text):
    """They are no part of the text at the start of a line, and of a word elsewhere."""
    (tmp_path / "text").write_bytes(text.encode())
    lines = read_lines(tmp_path / "text")
    expected = encode(Lines("x", lines), Vocabulary(WORDS)).tolist()
    words = table(tmp_path)
    assert rows(*words.encode_lines(tf.constant([text]))) == [expected]
    if not text.endswith("\n"):
        assert rows(*words.encode_start(tf.constant([text]))) == [[2, *expected[:-1]]]


def test_a_start_has_no_end(tmp_path):
    found = rows(*table(tmp_path).encode_start(tf.constant(["", "the cat\nsat", "the\n"])))
    assert found == [[2], [2, 0, 1, 2, 3], [2, 0, 2]]


def test_rows_are_filled_up_with_eos(tmp_path):
    numbers, lengths = table(tmp_path).encode_lines(tf.constant(["the cat", ""]))
    np.testing.assert_array_equal(numbers, [[0, 1, 2], [2, 2, 2]])
    np.testing.assert_array_equal(lengths, [3, 1])


def test_words_without_a_number(tmp_path):
    strict = table(tmp_path, ("the", "cat", "<eos>"))
    assert rows(*strict.encode_lines(tf.constant(["the cat"]))) == [[0, 1, 2]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="not in the vocabulary"):
        strict.encode_lines(tf.constant(["the dog"]))


def test_numbers_become_lines(tmp_path):
    numbers = tf.constant([[0, 1, 2, 2, 3, 0], [2, 0, 2, 1, 1, 1], [0, 0, 0, 0, 0, 0]])
    text = table(tmp_path).text(numbers, tf.constant([5, 4, 1]))
    assert [line.decode() for line in text.numpy()] == ["the cat\n\nsat", "\nthe\ncat", "the"]
