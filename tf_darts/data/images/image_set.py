"""Labelled images in memory, and what the readers of image data sets share."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_darts.data.fingerprint import (
    Fingerprint,
    Part,
    fingerprint_of_images,
    part_of_images,
)
from tf_darts.errors import UserError

_AT_ONCE = 64  # images


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """The images of one part of a data set, for training or for the test.

    Attributes:
      name: the data set's name, as in `--dataset`.
      images: uint8 `[images, height, width, channels]`.
      labels: the numbers of the classes, int32 `[images]`.
      classes: the names of the classes.
      origins: what an image's digest is taken of, by image: arrays of uint8, or bytes. By default
        its pixels; where they were decoded or scaled by us, what they were made of, as pixels may
        differ in the last bit from one machine to another.
      user_validation_count: how many of the images, the last ones, are a validation part of the
        user's own.
      skipped: what the reader found and left out, in words.
      formats: of the files that the images were read from, where there are such.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    origins: Sequence[np.ndarray | bytes] | None = None
    user_validation_count: int = 0
    skipped: str = ""
    formats: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.images.shape[1:]

    def part(self, numbers: np.ndarray | None = None) -> Part:
        """The digest of the images of these numbers, in their order; of all where None."""
        origins = self.images if self.origins is None else self.origins
        numbers = np.arange(len(self.labels)) if numbers is None else numbers
        return part_of_images((origins[number] for number in numbers), self.labels[numbers])

    def fingerprint(
        self,
        parts: Mapping[str, np.ndarray | None],
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
    ) -> Fingerprint:
        """What the images are.

        Args:
          parts: by name the numbers of the images of a part, in their order; None is all.
          mean: see `fingerprint_of_images`.
          std: see `fingerprint_of_images`.
        """
        part_digests = {name: self.part(numbers) for name, numbers in parts.items()}
        return fingerprint_of_images(self.classes, part_digests, self.shape, mean, std)


def square(images: tf.Tensor | np.ndarray, size: int) -> tf.Tensor:
    """The largest centred square of each image, scaled to `size` x `size` with antialiasing.

    Args:
      images: uint8 `[..., height, width, channels]`, with at most one axis more in front.
      size: pixels of a side.
    """
    with tf.device("CPU:0"):  # where the images are
        return centred(images, size, size)


def all_square(source: str, images: np.ndarray, size: int) -> np.ndarray:
    """As `square`, of all images of a set, a few at a time: while one is scaled it is float32.

    Args:
      source: what an error is about.
      images: uint8 `[images, height, width, channels]`.
      size: pixels of a side.

    Raises:
      UserError: they would not fit in memory.
    """
    scaled = allocate(source, len(images), (size, size, images.shape[-1]))
    for first in range(0, len(images), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        scaled[some] = square(images[some], size)
    return scaled


def centred(images: tf.Tensor | np.ndarray, height: int, width: int) -> tf.Tensor:
    """As `square`, the largest centred part of another aspect ratio."""
    sides = tf.shape(images)[-3:-1]
    # One side becomes exactly as wanted, the other one is rounded.
    scaled_to_height, scaled_to_width = height * sides / sides[0], width * sides / sides[1]
    scaled = tf.where(sides[0] * width <= sides[1] * height, scaled_to_height, scaled_to_width)
    scaled = tf.cast(tf.round(scaled), tf.int32)
    resized = tf.image.resize(images, scaled, antialias=True)
    top, left = tf.unstack((scaled - [height, width]) // 2)
    cropped = resized[..., top : top + height, left : left + width, :]
    return tf.cast(tf.round(cropped), tf.uint8)


def allocate(source: str, count: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Room for `count` images of a shape, uint8.

    Raises:
      UserError: they would not fit in memory.
    """
    needed = count * math.prod(shape)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory // 2:  # for a moment there are two copies: this one and a tensor
        raise UserError(
            f"{source}: {count} images of {'x'.join(map(str, shape))} are {needed / 2**30:.1f} GiB,"
            f" more than half of this machine's {memory / 2**30:.1f} GiB of memory; give a smaller"
            " --image_size."
        )
    return np.empty((count, *shape), np.uint8)


def differing_sizes(source: str) -> UserError:
    """The error of images that cannot stand in one array as they are."""
    return UserError(
        f"{source}: the images differ in size; give --image_size=N to make all of them N x N."
    )
