"""The image data sets by name.

The image classification sets of TensorFlow Datasets need no line here, nor those that files of
others register (`config/datasets.py`).
"""

import os
import pathlib
from collections.abc import Callable
from typing import Literal

from tf_darts.data import own_sets
from tf_darts.data.directory import data_directory
from tf_darts.data.images import digits, own, planted
from tf_darts.data.images import folder as image_folder
from tf_darts.data.images import tfds as tfds_images
from tf_darts.data.images.image_set import ImageSet
from tf_darts.errors import UserError

IMAGE_DATASETS: dict[str, Callable[[pathlib.Path | None, int, str], ImageSet]] = {
    "digits": digits.load,
    "planted": planted.load,
    "folder": image_folder.load,
}


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int = 0,
    part: Literal["train", "train and validation", "test"] = "train",
) -> ImageSet:
    """Loads the training or the test images of an image data set.

    Loading the one part does not read the images of the other (a download for TFDS prepares both).

    Args:
      name: one of `IMAGE_DATASETS`, a registered one, or an image classification set of TensorFlow
        Datasets.
      data_dir: the directory of the images, or of TFDS's prepared data sets; empty or None is
        TFDS's default directory.
      image_size: images become squares with so many pixels a side; 0 keeps them as they are.
      part: which images. The test images of a TFDS set are those of its split `test`, or of
        `validation` where `test` is missing or has no classes; those of a folder are in its
        folder `test`. Only a folder may have a validation part of its own, `DIR/val`: with
        `train and validation` its images stand behind the training images.

    Raises:
      UserError: the name is unknown, or the data are absent, incomplete, unreadable, too large,
        or of differing sizes, or there is no such part.
      ValueError: `part` is neither.
    """
    if part not in ("train", image_folder.TRAIN_AND_VALIDATION, "test"):
        raise ValueError(f"a data set has the parts train and test, not {part}")
    if part == image_folder.TRAIN_AND_VALIDATION and name != "folder":
        raise UserError(
            f"--dataset={name} has no validation part of its own; give --division=shuffled or"
            " --division=by_class."
        )
    if image_size < 0:
        raise UserError(f"--image_size={image_size}: give 1 or more pixels, or 0 to keep the size.")
    directory = data_directory(data_dir, name)
    if name in own_sets.IMAGES:
        return own.load(name, directory, image_size, part)
    if name in IMAGE_DATASETS:
        return IMAGE_DATASETS[name](directory, image_size, part)
    return tfds_images.load(name, directory, image_size, part)
