"""What all readers of images in memory share: passes, augmentation, normalisation."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tf_darts.data.images.augmentation import (
    crop_and_flip,
    cut_out,
    draw,
    draw_centres,
    draw_chosen,
    moments,
)
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.pipelines import mapped, read_ahead
from tf_darts.errors import UserError
from tf_darts.runtime.seeds import sub_seed


def check_batches(batch_size: int, evaluation_batch_size: int, steps_per_epoch: int) -> None:
    """Raises `UserError` where one of these is out of range."""
    if batch_size < 1 or evaluation_batch_size < 1:
        raise UserError(
            f"Batch sizes of {batch_size} and {evaluation_batch_size}: give 1 or more images."
        )
    if steps_per_epoch < 0:
        raise UserError(f"{steps_per_epoch} steps per epoch: give 1 or more, or 0 for a pass.")


def check_examples(name: str, train_examples: int, total: int) -> None:
    """Raises `UserError` where a data set has not so many images to train on."""
    if not 0 <= train_examples <= total:
        raise UserError(
            f"{name} has {total} training images, not {train_examples}; give"
            f" --train_examples=N from 1 to {total}, or 0 for all."
        )


def training_split(
    name: str,
    total: int,
    *,
    batch_size: int,
    validation_examples: int,
    train_on_all: bool,
    train_examples: int,
) -> tuple[int, int]:
    """How many of a data set's training images validate and how many train, the former first.

    Args:
      name: the data set's, for errors.
      total: all of them.
      batch_size: images of a batch, which those that train must fill.
      validation_examples: how many are kept for validation.
      train_on_all: none are.
      train_examples: how many of the others are used; 0 is all.

    Raises:
      UserError: there are not so many.
    """
    validation_count = 0 if train_on_all else validation_examples
    if not 0 <= validation_count < total:
        # One piece of advice for both defaults: a set so small seldom fills a batch either.
        most, smaller = total - batch_size, ""
        if most < 1:
            most, smaller = total - 1, f" and a --batch_size of at most {total} - N"
        raise UserError(
            f"{name} has {total} training images, of which {validation_count} cannot be kept for"
            f" validation; give --validation_examples=N from 1 to {most}{smaller}, or, where no"
            " study compares by validation, --train_on_all."
        )
    check_examples(name, train_examples, total - validation_count)
    train_count = train_examples or total - validation_count
    advice = ", fewer --validation_examples" if validation_count else ""
    check_filled(train_count, batch_size, name, "training part", advice)
    return validation_count, train_count


def check_filled(count: int, batch_size: int, name: str, part: str, advice: str = "") -> None:
    """Raises `UserError` where the images do not fill a batch.

    Args:
      count: how many there are.
      batch_size: images of a batch.
      name: the data set's, for the error.
      part: which part of it the images are, for the error.
      advice: what else helps, after a comma.
    """
    if count < batch_size:
        raise UserError(
            f"The {part} of {name} has {count} images, but a batch has {batch_size}; use a smaller"
            f" --batch_size{advice} or more images."
        )


def check_pixels(
    name: str, side: int, crop_padding: int, cutout: int, cutout_flag: str = "cutout"
) -> None:
    """Raises `UserError` where an augmentation does not go with images of `side` pixels a side."""
    for setting, value in (("crop_padding", crop_padding), (cutout_flag, cutout)):
        if value < 0:
            raise UserError(f"A {setting} of {value}: give 1 or more pixels, or 0.")
    if crop_padding > side:
        raise UserError(
            f"--crop_padding={crop_padding}: the images of {name} have {side} pixels a side, so"
            f" that many crops would show the border only; give 0 to {side}."
        )
    if cutout >= 2 * side:
        raise UserError(
            f"--{cutout_flag}={cutout}: the images of {name} have {side} pixels a side, so that"
            f" nothing would be left of them; give 0 to {side}."
        )


class Passes:
    """Endless passes over some images, each in an order of its own; what fills no batch is left.

    Attributes:
      steps: batches of a pass.
    """

    def __init__(
        self, numbers: np.ndarray, batch_size: int, seed: int, *, name: str, part: str
    ) -> None:
        """Describes the passes.

        Args:
          numbers: the images'.
          batch_size: images of a batch.
          seed: of the orders.
          name: the data set's, for the error.
          part: which part of it the images are, for the error.

        Raises:
          UserError: the images do not fill a batch.
        """
        check_filled(len(numbers), batch_size, name, part)
        self._numbers = numbers
        self._batch_size = batch_size
        self._seed = seed
        self.steps = len(numbers) // batch_size

    def batches(self, start: int, end: int) -> np.ndarray:
        """The numbers of the images of the steps from `start` to `end`, `[steps, batch_size]`."""
        first_pass, last_pass = start // self.steps, -(-end // self.steps)
        passes = np.concatenate([self._pass(number) for number in range(first_pass, last_pass)])
        return passes[start - first_pass * self.steps : end - first_pass * self.steps]

    def _pass(self, number: int) -> np.ndarray:
        key = np.array([self._seed, number], np.uint64)
        order = np.random.Generator(np.random.Philox(key=key)).permutation(self._numbers)
        return order[: self.steps * self._batch_size].reshape(self.steps, self._batch_size)


class ImageBatches:
    """Normalised batches of the images of a set, augmented or not.

    Attributes:
      mean, std: of each channel of the pixels, in units of 0..255, float64.
    """

    def __init__(
        self,
        images: ImageSet,
        used: np.ndarray,
        *,
        seed: int,
        dtype: str,
        crop_padding: int = 0,
        flip: bool = False,
        cutout: int = 0,
        cutout_flag: str = "cutout",
    ) -> None:
        """Measures the images.

        Args:
          images: the images.
          used: the numbers of those whose pixels are measured.
          seed: of the augmentation.
          dtype: of the normalised images.
          crop_padding: the black border of which images are cut out at random; 0 is no cutting.
          flip: whether half of the images are mirrored.
          cutout: the side in pixels of the square that is blanked; 0 is none.
          cutout_flag: what the user calls it, for the error.

        Raises:
          UserError: a setting is out of range.
        """
        check_pixels(images.name, min(images.shape[:2]), crop_padding, cutout, cutout_flag)
        self.mean, self.std = moments(images.images, used)
        self._seed = seed
        self._dtype = dtype
        self._crop_padding = crop_padding
        self._flip = flip
        self._cutout = cutout
        with tf.device("CPU:0"):  # where batches are made: no accelerator need hold all
            self._images = tf.constant(images.images)
            self._labels = tf.constant(images.labels)

    def augmented(
        self,
        numbers: tf.Tensor,
        stream: str,
        step: tf.Tensor,
        cutout_rate: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Images `[batch, height, width, channels]` and labels, int32 `[batch]`.

        Args:
          numbers: the images', `[batch]`.
          stream: what they are for: streams of one run are augmented differently.
          step: scalar int64, counted over the whole run.
          cutout_rate: scalar float64, how probable it is for each image that it is blanked; None
            blanks all.
        """
        images, labels = tf.gather(self._images, numbers), tf.gather(self._labels, numbers)
        if self._crop_padding or self._flip:
            seed = sub_seed(self._seed, stream, "augmentation")
            corners, flips = draw(seed, step, numbers.shape[0], self._crop_padding, self._flip)
            images = crop_and_flip(images, corners, flips, self._crop_padding)
        images = self._normalised(images)
        if self._cutout:
            seed = sub_seed(self._seed, stream, "cutout")
            centres = draw_centres(seed, step, numbers.shape[0], tuple(images.shape[1:3]))
            blanked = cut_out(images, centres, self._cutout)
            if cutout_rate is None:
                return blanked, labels
            seed = sub_seed(self._seed, stream, "cutout_rate")
            chosen = draw_chosen(seed, step, numbers.shape[0], cutout_rate)
            images = tf.where(chosen[:, tf.newaxis, tf.newaxis, tf.newaxis], blanked, images)
        return images, labels

    def plain(self, numbers: np.ndarray, batch_size: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """Images as they are and their labels, as in `augmented`; the last batch may be smaller."""
        batches = tf.data.Dataset.from_tensor_slices(numbers).batch(batch_size)
        yield from read_ahead(mapped(batches, self._plain))

    def plain_of(self, images: ImageSet, batch_size: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """All images of another set, normalised by the mean and deviation of this one's."""
        for start in range(0, len(images.labels), batch_size):
            part = slice(start, start + batch_size)
            with tf.device("CPU:0"):
                batch = self._normalised(images.images[part]), tf.constant(images.labels[part])
            yield batch

    def _plain(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.gather(self._images, numbers), tf.gather(self._labels, numbers)
        return self._normalised(images), labels

    def _normalised(self, images: tf.Tensor) -> tf.Tensor:
        mean, std = (tf.constant(numbers, self._dtype) for numbers in (self.mean, self.std))
        return (tf.cast(images, self._dtype) - mean) / std
