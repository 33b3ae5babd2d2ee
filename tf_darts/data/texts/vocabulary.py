"""The words of a corpus and their numbers."""

import collections
import dataclasses
import functools
from collections.abc import Iterable, Mapping

import numpy as np

from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

EOS = "<eos>"  # ends every line
UNK = "<unk>"  # stands for every word that has no number of its own
MORE_UNKNOWN = f"--min_count=2 maps rare training words, and all new ones, to {UNK}"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """A word's number is its place in `words`.

    Attributes:
      words: the distinct words.
    """

    words: tuple[str, ...]

    @classmethod
    def build(cls, train_words: Iterable[str], min_count: int = 1) -> "Vocabulary":
        """As `of_counts`, of the words of the training text, `<eos>` included."""
        return cls.of_counts(collections.Counter(train_words), min_count)

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> "Vocabulary":
        """Numbers the words of the training text in order of first appearance.

        Args:
          counts: how often each is there, in this order, `<eos>` included.
          min_count: words seen less often become `<unk>`. Above 1 there is always an `<unk>`, so
            that the other texts may have new words.

        Raises:
          UserError: `min_count` is below 1.
        """
        if min_count < 1:
            raise UserError(f"--min_count={min_count} is not a number of times; give 1 or more.")
        mapped_words = (
            word if word == EOS or count >= min_count else UNK for word, count in counts.items()
        )
        words = dict.fromkeys(mapped_words)
        if min_count > 1:
            words.setdefault(UNK)
        return cls(tuple(words))

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """The number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def size(self) -> int:
        """How many words there are, `<eos>` and `<unk>` included."""
        return len(self.words)

    def encode(self, words: Iterable[str], location: str, advice: str = MORE_UNKNOWN) -> np.ndarray:
        """The words' numbers, int32 `[len(words)]`; a new word is `<unk>` if there is one.

        Args:
          words: what to encode.
          location: file and line, for the error.
          advice: what to do about a new word, the end of the error.

        Raises:
          UserError: a word is not in the vocabulary, which has no `<unk>`.
        """
        if UNK in self.index:
            unknown = self.index[UNK]
            return np.array([self.index.get(word, unknown) for word in words], np.int32)
        try:
            return np.array([self.index[word] for word in words], np.int32)
        except KeyError as error:
            raise UserError(
                f"{location}: the word {shown(str(error))} does not occur in the training text,"
                f" which has no {UNK}; {advice}."
            ) from error
