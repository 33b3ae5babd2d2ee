"""Image sets that files of others register."""

import pathlib

import numpy as np

from tf_darts.data import own_sets
from tf_darts.data.images.image_set import ImageSet, all_square
from tf_darts.errors import UserError


def load(name: str, directory: pathlib.Path | None, image_size: int, part: str) -> ImageSet:
    """A registered set.

    Args:
      name: a key of `own_sets.IMAGES`.
      directory: of `--data_dir`; None without.
      image_size: images become squares with so many pixels a side; 0 keeps them as they are.
      part: "train" or "test".

    Raises:
      UserError: its loader fails, or gives something else than images, labels and classes; or so
        large images do not fit in memory.
    """
    loaded = own_sets.loaded(name, own_sets.IMAGES[name], directory, part)
    try:
        images, labels, classes = loaded
        images, labels = np.asarray(images), np.asarray(labels)
        classes = tuple(str(name) for name in classes)
    except (TypeError, ValueError) as error:
        raise _refused(name, "it gives something else than images, labels and classes") from error
    if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
        raise _refused(name, f"its images are {images.dtype} {list(images.shape)}")
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise _refused(name, f"its labels are {labels.dtype} {list(labels.shape)}")
    if not 0 <= labels.min() <= labels.max() < len(classes):
        reason = f"its labels are {labels.min()} to {labels.max()}, of {len(classes)} classes"
        raise _refused(name, reason)
    origins = images
    if image_size:
        images = all_square(f"--dataset={name}", images, image_size)
    return ImageSet(name, images, labels.astype(np.int32), classes, origins)


def _refused(name: str, reason: str) -> UserError:
    return UserError(
        f"--dataset={name}: {reason}; its loader gives images, uint8 [N, height, width, channels],"
        " the numbers of their classes [N], from 0, and the names of the classes."
    )
