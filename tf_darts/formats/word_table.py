"""Texts to word numbers and back in a graph, as `tf_darts.data.texts.corpus` does it outside."""

import os
from collections.abc import Sequence

import tensorflow as tf

from tf_darts.data.texts.vocabulary import EOS, UNK
from tf_darts.formats.refusals import refuse_unless

BYTES = 2**18  # of all texts of one request
_SHOWN = 40  # characters of a word in a sentence

# What Python's str.split cuts at; TensorFlow's own splitting knows ASCII only.
_WHITE_SPACE = r"[\s\x0b\x1c-\x1f\x{85}\p{Z}]+"
_MARKS = r"(?m)^\x{FEFF}+"  # what readers of text files leave out too


class WordTable(tf.Module):
    """A vocabulary as lookup tables, whose file becomes an asset.

    Args:
      words: the vocabulary; a word's number is its place.
      file: the same, a word a line.
      word_limit: how many numbers the rows of one request may have, filled up to the longest.
    """

    def __init__(self, words: Sequence[str], file: str | os.PathLike[str], word_limit: int) -> None:
        super().__init__()
        self.word_limit = word_limit
        index = {word: number for number, word in enumerate(words)}
        self.size = len(index)
        self.end = index[EOS]
        self.unknown = index.get(UNK, -1)
        lines = tf.lookup.TextFileIndex
        word, number = (tf.string, lines.WHOLE_LINE), (tf.int64, lines.LINE_NUMBER)
        path = os.fspath(file)
        self._numbers = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(path, *word, *number), self.unknown
        )
        self._words = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(path, *number, *word), ""
        )

    def encode_lines(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The words of texts [batch], `<eos>` at the end of each line.

        A word that is not in the vocabulary is `<unk>`; where there is no `<unk>` this fails.

        Returns:
          int32 [batch, longest], filled up with `<eos>`, and the numbers of words, int32 [batch].
        """
        texts = tf.strings.regex_replace(_unix(_bounded(texts)), r"\n\z", "")
        return self._encode(tf.strings.join([_spelled(texts), EOS], " "))

    def encode_start(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `encode_lines`, with `<eos>` before the first line and none after the last."""
        return self._encode(tf.strings.join([EOS, _spelled(_unix(_bounded(texts)))], " "))

    def words(self, numbers: tf.Tensor) -> tf.Tensor:
        """The words of numbers, string of the same shape."""
        return self._words.lookup(tf.cast(numbers, tf.int64))

    def text(self, numbers: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Words as text, string [batch]: lines for `<eos>`, spaces between other words.

        Args:
          numbers: int [batch, time].
          lengths: int [batch], how many of them are of the text.
        """
        words = tf.where(tf.equal(numbers, self.end), "\n", self.words(numbers))
        ragged = tf.RaggedTensor.from_tensor(words, lengths=lengths)
        return tf.strings.regex_replace(
            tf.strings.reduce_join(ragged, axis=-1, separator=" "), " ?\n ?", "\n"
        )

    def _encode(self, spelled: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        words = tf.strings.split(tf.strings.regex_replace(spelled, _WHITE_SPACE, " "))
        numbers = self._numbers.lookup(words.flat_values)
        if self.unknown < 0:
            unknown_words = tf.boolean_mask(words.flat_values, numbers < 0)
            about = f" is not in the vocabulary, which has no {UNK}; leave it out."
            sentence = tf.strings.join([_first_word(unknown_words), about])
            (numbers,) = refuse_unless(tf.equal(tf.size(unknown_words), 0), sentence, [numbers])
        lengths = words.row_lengths()
        numbers, lengths = self.bounded(lengths, [numbers, lengths])
        numbers = words.with_flat_values(tf.cast(numbers, tf.int32))
        return numbers.to_tensor(self.end), tf.cast(lengths, tf.int32)

    def bounded(self, lengths: tf.Tensor, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The same values, if rows of these lengths are not too many words, filled up."""
        lengths = tf.cast(lengths, tf.int64)
        word_count = tf.reduce_max(lengths) * tf.size(lengths, tf.int64)
        sentence = (
            f"A request must have at most {self.word_limit:,} words, its rows times the words of"
            " the longest row; send the rows in several requests."
        )
        return refuse_unless(word_count <= self.word_limit, sentence, values)


def _bounded(texts: tf.Tensor) -> tf.Tensor:
    """The same texts, if together they are not too long to look at."""
    size = tf.reduce_sum(tf.cast(tf.strings.length(texts), tf.int64))
    sentence = f"The texts of a request must have at most {BYTES:,} bytes together."
    return refuse_unless(size <= BYTES, sentence, [texts])[0]


def _first_word(words: tf.Tensor) -> tf.Tensor:
    """The beginning of the first of words, or nothing, as UTF-8."""
    word = tf.strings.reduce_join(words[:1])
    valid_word = tf.strings.unicode_transcode(word, "UTF-8", "UTF-8")
    return tf.strings.substr(valid_word, 0, _SHOWN, unit="UTF8_CHAR")


def _unix(texts: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(texts, r"\r\n?", "\n")


def _spelled(texts: tf.Tensor) -> tf.Tensor:
    """Texts whose line ends are words, without byte order marks at the start of a line."""
    unmarked = tf.strings.regex_replace(texts, _MARKS, "")
    return tf.strings.regex_replace(unmarked, "\n", f" {EOS} ")
