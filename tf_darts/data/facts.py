"""What a space is told of its data: as much as decides the shapes of its network."""

from typing import NamedTuple


class ImageFacts(NamedTuple):
    """Of labelled images.

    Attributes:
      shape: height, width and channels of an image.
      classes: how many there are.
    """

    shape: tuple[int, int, int]
    classes: int


class TextFacts(NamedTuple):
    """Of a text.

    Attributes:
      words: the size of its vocabulary.
    """

    words: int
