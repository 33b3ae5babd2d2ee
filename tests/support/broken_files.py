"""What may happen to a file, and what a program may make of it."""

import contextlib
import random
import shutil

from tf_darts.errors import UserError


def _emptied(file):
    file.write_bytes(b"")


def _cut(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _flipped(file):
    content = bytearray(file.read_bytes())
    content[0] ^= 0xFF
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))


def _content(text):
    return lambda file: file.write_text(text)


def _a_folder(file):
    file.unlink()
    file.mkdir()


def _removed(file):
    file.unlink()


BREAKS = {
    "emptied": _emptied,
    "cut": _cut,
    "flipped": _flipped,
    "null": _content("null\n"),
    "list": _content("[]\n"),
    "object": _content("{}\n"),
    "number": _content("3\n"),
    "a folder": _a_folder,
    "removed": _removed,
}
MORE_BREAKS = {
    "a text": _content('"text"\n'),
    "a list of one": _content("[1]\n"),
    "too deep": _content("[" * 100_000 + "\n"),
    "no UTF-8": lambda file: file.write_bytes(b'{"name": "\xff"}\n'),
}


def _flipped_somewhere(seed):
    def change(file):
        content = bytearray(file.read_bytes())
        draw = random.Random(seed)
        for _ in range(1 + seed % 2):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(7)
        file.write_bytes(bytes(content))

    return change


def flips(count):
    """So many breaks of one or two bits."""
    return {f"flipped {seed}": _flipped_somewhere(seed) for seed in range(count)}


def remove(path):
    """Removes a file or a directory."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def content_of(directory):
    """What is in a directory: the content of its files, None for its folders."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
        if path.name != ".lock"
    }


@contextlib.contextmanager
def one_sentence_or_nothing(directory):
    """Passes where a `UserError` of one line came and the directory is as it was, or none came.

    Yields a list that holds the sentence afterwards.
    """
    before, said = content_of(directory), []
    try:
        yield said
    except UserError as error:
        sentence = str(error)
        assert "\n" not in sentence and len(sentence) < 600, sentence
        assert content_of(directory) == before, f"changed, although: {sentence}"
        said.append(sentence)


def copied(source, target):
    """A fresh copy of a directory."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target
