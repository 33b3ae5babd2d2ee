"""The names of classes and words as files, one a line: what a trained network keeps of its data."""

from collections.abc import Sequence

from tf_darts.errors import UserError

LABELS_FILE = "labels.txt"
VOCABULARY_FILE = "vocabulary.txt"


def listed(names: Sequence[str]) -> str:
    """The content of such a file; a name's number is its line, from 0 on.

    Raises:
      UserError: a name has a line break in it.
    """
    for name in names:
        if "\n" in name:
            raise UserError(f"The name {name!r} has a line break in it; give it another one.")
    return "".join(f"{name}\n" for name in names)


def read_listed(content: str) -> tuple[str, ...]:
    """The names that `listed` wrote."""
    return tuple(content.split("\n")[:-1])
