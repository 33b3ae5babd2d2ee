"""The text data sets by name.

Those that files of others register need no line here (`config/datasets.py`).
"""

import functools
import os
import pathlib
from collections.abc import Callable, Mapping

from tf_darts.data import own_sets
from tf_darts.data.directory import data_directory
from tf_darts.data.texts import corpus, pydoc
from tf_darts.data.texts import tfds_text as published
from tf_darts.data.texts.ptb import Ptb
from tf_darts.data.texts.wikitext2 import Wikitext2
from tf_darts.errors import UserError
from tf_darts.runtime import files
from tf_darts.runtime.files import shown

_OWN_FILES = {"train": ("train.txt",), "validation": ("valid.txt",), "test": ("test.txt",)}


def has_own_test(data_dir: pathlib.Path) -> bool:
    """Whether the user's own text has a test part, which is not opened."""
    return any(files.is_file(data_dir / name) for name in _OWN_FILES["test"])


def _load_own(data_dir: pathlib.Path | None, min_count: int, with_test: bool) -> corpus.Corpus:
    """The user's own text, a file for each part."""
    paths = corpus.find_files(data_dir, _OWN_FILES, with_test) if data_dir else {}
    if not paths:
        raise UserError(
            f"--dataset=text found no text in {data_dir or 'any directory'}; give --data_dir=DIR"
            " with train.txt, valid.txt and (for a test) test.txt in it, words separated by spaces."
        )
    return corpus.from_files("text", paths, min_count)


TEXT_DATASETS: dict[str, Callable[[pathlib.Path | None, int, bool], corpus.Corpus]] = {
    "ptb": functools.partial(published.load, Ptb),
    "wikitext2": functools.partial(published.load, Wikitext2),
    "pydoc": pydoc.load,
    "text": _load_own,
}


def _load_registered(
    name: str, directory: pathlib.Path | None, min_count: int, with_test: bool
) -> corpus.Corpus:
    """A text whose loader a file of others has registered."""
    loaded = own_sets.loaded(name, own_sets.TEXTS[name], directory, with_test)
    wanted = corpus.PARTS if with_test else corpus.PARTS[:2]
    parts = {}
    for part in wanted:
        lines = loaded.get(part) if isinstance(loaded, Mapping) else None
        if lines is None or isinstance(lines, str | bytes) or not len(lines):
            given = f"a {type(lines).__name__}" if isinstance(lines, str | bytes) else "no lines"
            raise UserError(
                f"--dataset={name}: its loader gives {given} of {part}; it gives lists of the lines"
                f" of {', '.join(wanted)}, by these names."
            )
        others = [line for line in lines if not isinstance(line, str)]
        if others:
            raise UserError(
                f"--dataset={name}: its loader gives a {type(others[0]).__name__} among the lines"
                f" of {part}; each line is a text."
            )
        parts[part] = corpus.Lines(f"{name}, {part}", list(map(str, lines)))
    return corpus.from_lines(name, parts, min_count)


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    min_count: int = 1,
    with_test: bool = False,
) -> corpus.Corpus:
    """Loads a text data set.

    Args:
      name: one of `TEXT_DATASETS`, or a registered one.
      data_dir: a directory with the raw files, or with TFDS's prepared data sets; empty or None
        is TFDS's default directory.
      min_count: words seen less often in the training part become `<unk>`.
      with_test: whether the test part is read too. Without it nothing opens the test part's file
        or split (a download for TFDS prepares all parts), and it may be absent.

    Raises:
      UserError: the name is unknown, or the data are absent, incomplete or unreadable.
    """
    if name in own_sets.TEXTS:
        directory = data_directory(data_dir, name)
        return _load_registered(name, directory, min_count, with_test)
    if name not in TEXT_DATASETS:
        raise UserError(
            f"--dataset={shown(name)} is not a text data set; use one of"
            f" {', '.join(TEXT_DATASETS)}."
        )
    directory = data_directory(data_dir, name)
    return TEXT_DATASETS[name](directory, min_count, with_test)
