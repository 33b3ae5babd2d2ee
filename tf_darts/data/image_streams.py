"""Images as the endless, resumable stream of batches that a convolutional search reads."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tf_darts.data.augmentation import crop_and_flip, draw, moments
from tf_darts.data.batches import SearchBatch
from tf_darts.data.image_set import ImageSet
from tf_darts.errors import UserError
from tf_darts.runtime.seeds import derived_seed

_SPLIT_SEED = 0  # not the run's: all runs search on the same halves


def majority_accuracy(data: "ImageSearchData") -> float:
    """Percent of α's half that belongs to the most frequent class of w's half.

    A baseline: a model that does not beat it has learnt nothing from the pictures.
    """
    frequent = np.bincount(data.train_labels).argmax()
    return float(100 * (data.validation_labels == frequent).mean())


class _Passes:
    """Endless passes over one half, each in an order of its own; what fills no batch is left out.

    Attributes:
      steps: batches of a pass.
    """

    def __init__(self, numbers: np.ndarray, batch_size: int, seed: int) -> None:
        self._numbers = numbers
        self._batch_size = batch_size
        self._seed = seed
        self.steps = len(numbers) // batch_size

    def batches(self, start: int, end: int) -> np.ndarray:
        """The numbers of the images of the steps from `start` to `end`, `[steps, batch_size]`."""
        first, last = start // self.steps, -(-end // self.steps)
        passes = np.concatenate([self._pass(number) for number in range(first, last)])
        return passes[start - first * self.steps : end - first * self.steps]

    def _pass(self, number: int) -> np.ndarray:
        key = np.array([self._seed, number], np.uint64)
        order = np.random.Generator(np.random.Philox(key=key)).permutation(self._numbers)
        return order[: self.steps * self._batch_size].reshape(self.steps, self._batch_size)


class ImageSearchData:
    """Batches for the bilevel search on images.

    The images are shuffled once, the same way for all seeds, and split into a half for the
    weights and a half for the architecture. Each half is read in passes of its own, side by side.
    Everything is a function of (seed, step), so any step can be gone to directly.

    With `steps_per_epoch` 0 an epoch is a pass over the weights' half. Otherwise epoch e is the
    steps from e·steps_per_epoch on of all passes in a row, so that short epochs still see all.

    Attributes:
      evaluation_batch_size: images in the batches of `evaluation`.
      mean, std: of each channel of the pixels of both halves, in units of 0..255, float64.
      train_labels, validation_labels: the classes of the two halves, int32.
    """

    def __init__(
        self,
        images: ImageSet,
        *,
        batch_size: int,
        seed: int,
        train_portion: float = 0.5,
        train_examples: int = 0,
        crop_padding: int = 4,
        flip: bool = True,
        steps_per_epoch: int = 0,
        evaluation_batch_size: int = 256,
        dtype: str = "float32",
    ) -> None:
        """Splits the images and measures them.

        Args:
          images: the training images.
          batch_size: images in a training and in a validation batch.
          seed: of the order and the augmentation.
          train_portion: the share of the weights' half.
          train_examples: how many of the images are used; 0 is all.
          crop_padding: the black border of which images are cut out at random; 0 is no cutting.
          flip: whether half of the images are mirrored.
          steps_per_epoch: steps of an epoch; 0 is one pass over the weights' half.
          evaluation_batch_size: images in a batch of `evaluation`.
          dtype: of the normalised images.

        Raises:
          UserError: a setting is out of range, or there are too few images for it.
        """
        if batch_size < 1 or evaluation_batch_size < 1:
            raise UserError(
                f"Batch sizes of {batch_size} and {evaluation_batch_size}: give 1 or more images."
            )
        if not 0 < train_portion < 1:
            raise UserError(f"A train_portion of {train_portion} is not between 0 and 1.")
        if crop_padding < 0:
            raise UserError(f"A crop_padding of {crop_padding}: give 1 or more pixels, or 0.")
        if steps_per_epoch < 0:
            raise UserError(f"{steps_per_epoch} steps per epoch: give 1 or more, or 0 for a pass.")
        total = len(images.train_labels)
        if not 0 <= train_examples <= total:
            raise UserError(
                f"{images.name} has {total} training images, not {train_examples}; give"
                f" --train_examples=N from 1 to {total}, or 0 for all."
            )
        order = np.random.Generator(np.random.Philox(_SPLIT_SEED)).permutation(total)
        used = order[: train_examples or total]
        train, validation = np.split(used, [int(train_portion * len(used))])
        for part, half in (("training", train), ("validation", validation)):
            if len(half) < batch_size:
                raise UserError(
                    f"The {part} half of {images.name} has {len(half)} images, but a batch has"
                    f" {batch_size}; use a smaller --batch_size or more images."
                )
        self.evaluation_batch_size = evaluation_batch_size
        self.mean, self.std = moments(images.train_images, used)
        self.train_labels = images.train_labels[train]
        self.validation_labels = images.train_labels[validation]
        self._description = {
            "dataset": images.name,
            "image_shape": list(images.shape),
            "classes": len(images.classes),
            "train_images": len(train),
            "validation_images": len(validation),
        }
        self._seed = seed
        self._crop_padding = crop_padding
        self._flip = flip
        self._dtype = dtype
        self._evaluation = validation
        self._train, self._validation = (
            _Passes(half, batch_size, derived_seed(seed, stream, "order"))
            for stream, half in (("train", train), ("validation", validation))
        )
        self._steps = steps_per_epoch or self._train.steps
        with tf.device("CPU:0"):  # where batches are made: no accelerator need hold all
            self._images = tf.constant(images.train_images)
            self._labels = tf.constant(images.train_labels)

    def steps(self, epoch: int) -> int:
        """How many batches `epoch` has: as many as any other."""
        del epoch
        return self._steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[SearchBatch]:
        """The batches of an epoch from `start_step` on; the same ones whenever it is called.

        Images are normalised and augmented, `[batch_size, height, width, channels]`; labels are
        int32 `[batch_size]`. Those of the architecture's half are augmented too.
        """
        start, end = epoch * self._steps + start_step, (epoch + 1) * self._steps
        if start >= end:
            return
        numbers = (
            self._train.batches(start, end),
            self._validation.batches(start, end),
            np.arange(start, end),
        )
        batches = (
            tf.data.Dataset.from_tensor_slices(numbers)
            .map(self._augmented_pair, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .prefetch(tf.data.AUTOTUNE)
        )
        for step, (train, validation) in enumerate(batches, start):
            yield SearchBatch(
                train=train,
                validation=validation,
                learning_rate_scale=1.0,
                starts_pass=step % self._train.steps == 0,
            )

    def evaluation(self) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """All of the architecture's half in order, normalised but not augmented.

        As in `epoch`, with `evaluation_batch_size` images, the last time possibly fewer.
        """
        yield from (
            tf.data.Dataset.from_tensor_slices(self._evaluation)
            .batch(self.evaluation_batch_size)
            .map(self._plain, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .prefetch(tf.data.AUTOTUNE)
        )

    def description(self) -> dict[str, str | int | list[int]]:
        """The data set's name and its counts, for reports."""
        return dict(self._description)

    def _augmented_pair(
        self, train: tf.Tensor, validation: tf.Tensor, step: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        return (
            self._augmented(train, "train", step),
            self._augmented(validation, "validation", step),
        )

    def _augmented(
        self, numbers: tf.Tensor, stream: str, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.gather(self._images, numbers), tf.gather(self._labels, numbers)
        if self._crop_padding or self._flip:
            seed = derived_seed(self._seed, stream, "augmentation")
            corners, flips = draw(seed, step, len(numbers), self._crop_padding, self._flip)
            images = crop_and_flip(images, corners, flips, self._crop_padding)
        return self._normalised(images), labels

    def _plain(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.gather(self._images, numbers), tf.gather(self._labels, numbers)
        return self._normalised(images), labels

    def _normalised(self, images: tf.Tensor) -> tf.Tensor:
        mean, std = (tf.constant(numbers, self._dtype) for numbers in (self.mean, self.std))
        return (tf.cast(images, self._dtype) - mean) / std
