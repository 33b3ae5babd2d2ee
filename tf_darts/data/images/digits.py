"""The embedded images: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, no download.

They are few and small: good for trying things, not for results.
"""

import pathlib

import numpy as np

from tf_darts.data.images.image_set import ImageSet, all_square
from tf_darts.errors import UserError

_WHITE = 16  # the pixels are 0..16
_TEST_IMAGES = 297  # which leaves 1,500 to train on
_TEST_SEED = 1  # of which images these are, the same ones for all runs


def load(data_dir: pathlib.Path | None, image_size: int, part: str = "train") -> ImageSet:
    """The embedded digits, one channel; 1,500 to train on and 297 for the test.

    Args:
      data_dir: must be None.
      image_size: pixels of a side; 0 keeps the 8.
      part: `train` or `test`.

    Raises:
      UserError: a `data_dir` was given, or so large images do not fit in memory.
    """
    if data_dir is not None:
        raise UserError(
            "The data set digits is embedded and takes no --data_dir; leave the flag out, or give"
            " --dataset=folder to read images of your own."
        )
    # Only here: it takes a second, which the other data sets need not wait for.
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.Generator(np.random.Philox(_TEST_SEED)).permutation(len(digits.target))
    numbers = np.sort(order[:_TEST_IMAGES] if part == "test" else order[_TEST_IMAGES:])
    images = np.round(digits.images[numbers] * (255 / _WHITE)).astype(np.uint8)[..., np.newaxis]
    origins = images
    if image_size:
        images = all_square("--dataset=digits", images, image_size)
    classes = tuple(map(str, digits.target_names))
    labels = digits.target[numbers].astype(np.int32)
    return ImageSet("digits", images, labels, classes, origins)
