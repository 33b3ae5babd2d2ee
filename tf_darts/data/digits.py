"""The embedded images: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, no download.

They are few and small: good for trying things, not for results.
"""

import pathlib

import numpy as np

from tf_darts.data.image_set import ImageSet, square
from tf_darts.errors import UserError

_WHITE = 16  # the pixels are 0..16


def load(data_dir: pathlib.Path | None, image_size: int) -> ImageSet:
    """The embedded digits, one channel.

    Args:
      data_dir: must be None.
      image_size: pixels of a side; 0 keeps the 8.

    Raises:
      UserError: a `data_dir` was given.
    """
    if data_dir is not None:
        raise UserError(
            "The data set digits is embedded and takes no --data_dir; leave the flag out, or give"
            " --dataset=folder to read images of your own."
        )
    # Only here: it takes a second, which the other data sets need not wait for.
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / _WHITE)).astype(np.uint8)[..., np.newaxis]
    if image_size:
        images = square(images, image_size).numpy()
    classes = tuple(map(str, digits.target_names))
    return ImageSet("digits", images, digits.target.astype(np.int32), classes)
