"""Images in which it is known what must be looked at: a positive control of searches.

An image [16, 32, 3] is six fields [16, 16]: its three channels, each in a left and a right half.
A field has four pairs of bright pixels, at random places, one for each of the `DISTANCES` d. The
second pixel of a pair lies d rows below the first, and d columns to the right or to the left of
it, around the borders. Which of the two is a coin's side, but for one pair of each field: there it
is a bit of the class. Six bits are 64 classes. Single pixels, and pairs at other distances, say
nothing of the class; so an operation that does not see pixels at the field's distance together
has learnt nothing of it, whatever its weights.
"""

import pathlib

import numpy as np

from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.planted_answer import ANSWER, DISTANCES, SIDE
from tf_darts.errors import UserError

CLASSES = tuple(f"{number:06b}" for number in range(2 ** len(ANSWER)))
_COUNTS = {"train": 8192, "test": 2048}
_BRIGHT = 255


def load(data_dir: pathlib.Path | None, image_size: int, part: str = "train") -> ImageSet:
    """The images, the same ones always: 8,192 to search and train with, and 2,048 for the test.

    Args:
      data_dir: must be None.
      image_size: must be 0; in scaled images distances would be others.
      part: `train` or `test`.

    Raises:
      UserError: a `data_dir` or an `image_size` was given.
    """
    for name, value in (("data_dir", data_dir), ("image_size", image_size)):
        if value:
            raise UserError(
                f"The data set planted is made on the spot and takes no --{name}; leave it out."
            )
    random = np.random.Generator(np.random.Philox(list(_COUNTS).index(part)))
    labels = random.integers(len(CLASSES), size=_COUNTS[part])
    return ImageSet("planted", drawn(labels, random), labels.astype(np.int32), CLASSES)


def drawn(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Images of these classes, uint8 [images, 16, 32, 3].

    Args:
      labels: [images], 0 to 63; bit i, from the left, is that of field i.
      random: draws places, and the sides of the pairs that say nothing.
    """
    count, fields, pairs = len(labels), len(ANSWER), len(DISTANCES)
    rows, columns = random.integers(SIDE, size=(2, count, fields, pairs))
    right = random.integers(2, size=(count, fields, pairs))
    bits = labels[:, np.newaxis] >> np.arange(fields)[::-1] & 1
    told = [DISTANCES.index(distance) for distance in ANSWER]
    right[:, np.arange(fields), told] = bits
    apart = np.array(DISTANCES)
    image, field = np.arange(count)[:, np.newaxis, np.newaxis], np.arange(fields)[:, np.newaxis]
    pixels = np.zeros([count, fields, SIDE, SIDE], np.uint8)
    pixels[image, field, rows, columns] = _BRIGHT
    beside = columns + np.where(right, apart, -apart)
    pixels[image, field, (rows + apart) % SIDE, beside % SIDE] = _BRIGHT
    # Field i is channel i % 3 of half i // 3.
    halves = pixels.reshape(count, 2, 3, SIDE, SIDE).transpose(0, 3, 1, 4, 2)
    return halves.reshape(count, SIDE, 2 * SIDE, 3)
