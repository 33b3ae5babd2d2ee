"""Batches of images, cut, mirrored and blanked at random; and the measure of a set of them."""

import numpy as np
import tensorflow as tf

_CHUNK = 1024  # images that are measured at a time


def draw(
    seed: int, step: tf.Tensor, batch_size: int, padding: int, flip: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """How the images of a batch are cut and mirrored, a function of (seed, step).

    Args:
      seed: of a run and of a stream within it.
      step: scalar int64, counted over the whole run.
      batch_size: how many images.
      padding: see `crop_and_flip`.
      flip: whether each image is mirrored with probability 1/2, or none is.

    Returns:
      The corners and flips for `crop_and_flip`.
    """
    key = tf.stack([tf.constant(seed, tf.int64), step])
    # One draw of three numbers an image, as two draws with one key would be related.
    numbers = tf.random.stateless_uniform(
        [batch_size, 3], key, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    corners = tf.cast(numbers[:, :2] % tf.constant(2 * padding + 1, tf.uint32), tf.int32)
    return corners, tf.logical_and(flip, numbers[:, 2] >= 2**31)


def crop_and_flip(
    images: tf.Tensor, corners: tf.Tensor, flips: tf.Tensor, padding: int
) -> tf.Tensor:
    """Cuts each image out of itself with a black border, and mirrors some.

    Args:
      images: `[batch, height, width, channels]`.
      corners: the top left corners within the bordered images, int32 `[batch, 2]`, 0..2·padding.
      flips: which are mirrored left to right, bool `[batch]`.
      padding: the border's width on each side.
    """
    _, height, width, _ = images.shape
    bordered = tf.pad(images, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    rows = corners[:, :1] + tf.range(height)
    columns = tf.range(width)
    columns = corners[:, 1:] + tf.where(flips[:, tf.newaxis], columns[::-1], columns)
    return tf.gather(tf.gather(bordered, rows, batch_dims=1), columns, axis=2, batch_dims=1)


def draw_centres(seed: int, step: tf.Tensor, batch_size: int, size: tuple[int, int]) -> tf.Tensor:
    """Where the images of a batch are blanked, a function of (seed, step).

    Args:
      seed: of a run and of a stream within it, another one than `draw` gets.
      step: scalar int64, counted over the whole run.
      batch_size: how many images.
      size: their height and width.

    Returns:
      A row and a column for each image, int32 `[batch_size, 2]`, all pixels equally likely.
    """
    key = tf.stack([tf.constant(seed, tf.int64), step])
    numbers = tf.random.stateless_uniform(
        [batch_size, 2], key, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    return tf.cast(numbers % tf.constant(size, tf.uint32), tf.int32)


def draw_chosen(seed: int, step: tf.Tensor, batch_size: int, rate: tf.Tensor) -> tf.Tensor:
    """Which images of a batch something happens to, a function of (seed, step).

    Args:
      seed: of a run and of a stream within it, another one than the other draws get.
      step: scalar int64, counted over the whole run.
      batch_size: how many images.
      rate: scalar float64: the probability for each.

    Returns:
      bool `[batch_size]`; with a larger rate the same images and more.
    """
    key = tf.stack([tf.constant(seed, tf.int64), step])
    return tf.random.stateless_uniform([batch_size], key, dtype=tf.float64, alg="philox") < rate


def cut_out(images: tf.Tensor, centres: tf.Tensor, side: int) -> tf.Tensor:
    """Sets a square of each image to 0; what of it is outside of the image is lost.

    Args:
      images: `[batch, height, width, channels]`, normalised: 0 is the mean.
      centres: the rows and columns of the squares' centres, int32 `[batch, 2]`. Of an even side
        the centre is the lower right one of the four middle pixels.
      side: pixels of a side.
    """
    inside = []
    for axis in range(2):
        places = tf.range(images.shape[1 + axis]) - (centres[:, axis : axis + 1] - side // 2)
        inside.append(tf.logical_and(places >= 0, places < side))
    blank = tf.logical_and(inside[0][:, :, tf.newaxis], inside[1][:, tf.newaxis, :])
    return tf.where(blank[..., tf.newaxis], tf.zeros([], images.dtype), images)


def share_cut_out(height: int, width: int, side: int) -> float:
    """The share of an image that `cut_out` blanks, on average over all centres in it."""
    share = 1.0
    for length in (height, width):
        first = np.arange(length) - side // 2
        inside = np.minimum(first + side, length) - np.maximum(first, 0)
        share *= float(np.mean(inside)) / length
    return share


def moments(images: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation of each channel, exact but for rounding.

    Args:
      images: uint8 `[images, height, width, channels]`.
      numbers: which of them count.

    Returns:
      float64 `[channels]` each, in units of 0..255. Where all pixels are equal the deviation is 1,
      so that it can be divided by.
    """
    # The counts of the 256 values, since a float64 copy of all pixels would take eight times them.
    counts = np.zeros((images.shape[-1], 256), np.int64)
    for start in range(0, len(numbers), _CHUNK):
        chunk = images[numbers[start : start + _CHUNK]]
        for channel, count in enumerate(counts):
            count += np.bincount(chunk[..., channel].ravel(), minlength=256)
    values = np.arange(256.0)
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ values
    std = np.sqrt((shares * (values - mean[:, np.newaxis]) ** 2).sum(axis=1))
    return mean, np.where((counts > 0).sum(axis=1) > 1, std, 1.0)
