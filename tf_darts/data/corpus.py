"""From texts to arrays of word numbers."""

import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tf_darts.data.vocabulary import EOS, Vocabulary
from tf_darts.errors import UserError
from tf_darts.runtime.files import is_file, read_bytes

PARTS = ("train", "validation", "test")


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


def encode(part: Lines, vocabulary: Vocabulary) -> np.ndarray:
    """The numbers of a text's words, int32 `[tokens]`; raises `UserError` as `Vocabulary`."""
    return np.concatenate(
        [
            vocabulary.encode(tokenize(line), f"{part.source}, line {number}")
            for number, line in enumerate(part.lines, start=1)
        ]
    )


def from_lines(name: str, parts: Mapping[str, Lines], min_count: int = 1) -> Corpus:
    """Numbers the words of the texts by the training text's vocabulary.

    Args:
      name: the data set's name.
      parts: the text for each of `PARTS`; there need be none for the test part.
      min_count: see `Vocabulary.build`.

    Raises:
      UserError: a part has no words, or has a word that cannot be encoded.
    """
    for part in parts.values():
        if not any(line.strip() for line in part.lines):
            raise UserError(f"{part.source} has no words; put a text there, one sentence a line.")
    vocabulary = Vocabulary.build(
        (word for line in parts["train"].lines for word in tokenize(line)), min_count
    )
    return Corpus(name, vocabulary, **{part: encode(parts[part], vocabulary) for part in parts})


def read_lines(path: pathlib.Path) -> list[str]:
    r"""A UTF-8 file's lines, ended by `\n`, `\r\n` or `\r`.

    Raises:
      UserError: the file cannot be read or is not UTF-8.
    """
    content = read_bytes(path, "give a text file")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 at byte {error.start} ({error.reason}); convert it, for example"
            " with iconv -t UTF-8."
        ) from error
    # Not str.splitlines, which also cuts at form feeds and other rare characters.
    return [line.rstrip("\n") for line in io.StringIO(text, newline=None)]


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
    found = {}
    wanted = parts_to_read(with_test)
    for part in wanted:
        paths = [data_dir / name for name in accepted[part] if is_file(data_dir / name)]
        if paths:
            found[part] = paths[0]
    missing = [part for part in wanted if part not in found]
    if found and missing:
        have = ", ".join(path.name for path in found.values())
        raise UserError(
            f"{data_dir} has {have} but no {missing[0]} text; put it there as"
            f" {' or '.join(accepted[missing[0]])}."
        )
    return found


def from_files(name: str, files: Mapping[str, pathlib.Path], min_count: int = 1) -> Corpus:
    """`from_lines` of a UTF-8 file for each part; raises its errors and `read_lines`'s."""
    parts = {part: Lines(str(path), read_lines(path)) for part, path in files.items()}
    return from_lines(name, parts, min_count)
