"""From texts to arrays of word numbers."""

import collections
import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from tf_darts.data.texts.text_files import read_lines
from tf_darts.data.texts.vocabulary import EOS, MORE_UNKNOWN, UNK, Vocabulary
from tf_darts.errors import UserError
from tf_darts.runtime import files

PARTS = ("train", "validation", "test")
SPACES = "where the text has no spaces, put them between its words or characters, in all its parts"
_RARE = f"most of its words occur once: give a longer one, and {SPACES}"
_MAJORITY = 0.5  # of the words of a text


def parts_to_read(with_test: bool) -> tuple[str, ...]:
    """`PARTS`, without the test part unless it is asked for: nothing else may open it."""
    return PARTS if with_test else PARTS[:2]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A text for language modelling.

    Attributes:
      name: the data set's name, as in `--dataset`.
      vocabulary: the words of the training part.
      train, validation: the numbers of the words in order, int32 `[tokens]`.
      test: the same, or None where it was not asked for.
    """

    name: str
    vocabulary: Vocabulary
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray | None = None

    def summary(self) -> str:
        """What was read: lines, tokens (words and line ends) and the share of `<unk>`, by part."""
        parts = [
            f"{name} {np.sum(numbers == self.vocabulary.index[EOS]):,} lines,"
            f" {len(numbers):,} tokens ({100 * self.unknown(numbers):.1f} % {UNK})"
            for name, numbers in self.parts()
        ]
        return (
            f"Read {self.name}: {'; '.join(parts)}; a vocabulary of {self.vocabulary.size:,} words."
        )

    def parts(self) -> list[tuple[str, np.ndarray]]:
        """The parts that were read, each with its name."""
        pairs = [(name, getattr(self, name)) for name in PARTS]
        return [(name, numbers) for name, numbers in pairs if numbers is not None]

    def unknown(self, numbers: np.ndarray) -> float:
        """The share of `<unk>` among the words of a text, its line ends left out."""
        index = self.vocabulary.index
        words = numbers[numbers != index.get(EOS)]
        return float(np.mean(words == index.get(UNK, -1))) if len(words) else 0.0


class Lines(NamedTuple):
    """One part of a corpus before its words are numbered.

    Attributes:
      source: the file or data set, for errors.
      lines: the text; a trailing newline does not matter.
    """

    source: str
    lines: Sequence[str]


def tokenize(line: str) -> list[str]:
    """The words between white space, then `<eos>`.

    A blank line is an `<eos>` too: the published counts of WikiText-2 include them.
    """
    return [*line.split(), EOS]


def encode(part: Lines, vocabulary: Vocabulary, advice: str = MORE_UNKNOWN) -> np.ndarray:
    """The numbers of a text's words, int32 `[tokens]`; see `Vocabulary.encode`."""
    return np.concatenate(
        [
            vocabulary.encode(tokenize(line), f"{part.source}, line {number}", advice)
            for number, line in enumerate(part.lines, start=1)
        ]
    )


def from_lines(name: str, parts: Mapping[str, Lines], min_count: int = 1) -> Corpus:
    """Numbers the words of the texts by the training text's vocabulary.

    Warns where most words are `<unk>`, where parts are the same text, and where the training part
    is the smaller one.

    Args:
      name: the data set's name.
      parts: the text for each of `PARTS`; there need be none for the test part.
      min_count: see `Vocabulary.build`.

    Raises:
      UserError: a part has no words, or has a word that cannot be encoded, or no word is frequent
        enough for the vocabulary.
    """
    for part in parts.values():
        if not any(line.strip() for line in part.lines):
            raise UserError(f"{part.source} has no words; put a text there, one sentence a line.")
    counts = collections.Counter(word for line in parts["train"].lines for word in tokenize(line))
    vocabulary = Vocabulary.of_counts(counts, min_count)
    if not set(vocabulary.words) - {EOS, UNK}:
        raise UserError(
            f"{parts['train'].source}: with --min_count={min_count} no word is left but {EOS} and"
            f" {UNK}; lower --min_count, and {SPACES}."
        )
    advice = MORE_UNKNOWN if _repeated(counts) >= _MAJORITY else _RARE
    numbers = {part: encode(parts[part], vocabulary, advice) for part in parts}
    corpus = Corpus(name, vocabulary, **numbers)
    _warn(corpus, {part: lines.source for part, lines in parts.items()})
    return corpus


def _repeated(counts: Mapping[str, int]) -> float:
    """The share of a text's words, its line ends left out, that occur more than once."""
    words = {word: count for word, count in counts.items() if word != EOS}
    return sum(count for count in words.values() if count > 1) / sum(words.values())


def _warn(corpus: Corpus, sources: Mapping[str, str]) -> None:
    """Says what is strange about a corpus, a line each."""
    shares = {sources[part]: corpus.unknown(numbers) for part, numbers in corpus.parts()}
    unknown_parts = [
        f"{100 * share:.0f} % of {name}" for name, share in shares.items() if share > _MAJORITY
    ]
    if unknown_parts:
        logging.warning(
            "The words of the text are mostly %s (%s), so that perplexities say little; lower"
            " --min_count, take a training text of the same kind, and %s.",
            *(UNK, ", ".join(unknown_parts), SPACES),
        )
    for (first_part, first_numbers), (second_part, second_numbers) in itertools.combinations(
        corpus.parts(), 2
    ):
        if np.array_equal(first_numbers, second_numbers):
            logging.warning(
                "%s and %s hold the same text: the score of the one says nothing beyond the other;"
                " cut the text into parts that differ.",
                *(sources[first_part], sources[second_part]),
            )
    if len(corpus.train) < len(corpus.validation):
        logging.warning(
            "%s has %d tokens, fewer than the %d of %s; if the two are swapped, exchange them.",
            *(sources["train"], len(corpus.train), len(corpus.validation), sources["validation"]),
        )


def find_files(
    data_dir: pathlib.Path, accepted: Mapping[str, Sequence[str]], with_test: bool = False
) -> dict[str, pathlib.Path]:
    """The files of a directory that hold the parts of a corpus; none at all is no error.

    Args:
      data_dir: where to look.
      accepted: for each of `PARTS` the file names that may hold it, the preferred one first.
      with_test: whether the test part is wanted too; else its file is not looked for.

    Returns:
      A path for each wanted part, or an empty dict.

    Raises:
      UserError: some parts are there and others are not.
    """
    paths = {}
    parts = parts_to_read(with_test)
    for part in parts:
        candidates = [data_dir / name for name in accepted[part] if files.is_file(data_dir / name)]
        if candidates:
            paths[part] = candidates[0]
    missing = [part for part in parts if part not in paths]
    if paths and missing:
        names = ", ".join(path.name for path in paths.values())
        raise UserError(
            f"{data_dir} has {names} but no {missing[0]} text; put it there as"
            f" {' or '.join(accepted[missing[0]])}."
        )
    return paths


def from_files(name: str, paths: Mapping[str, pathlib.Path], min_count: int = 1) -> Corpus:
    """`from_lines` of a file for each part; raises its errors and `read_lines`'s."""
    parts = {part: Lines(str(path), read_lines(path)) for part, path in paths.items()}
    return from_lines(name, parts, min_count)
