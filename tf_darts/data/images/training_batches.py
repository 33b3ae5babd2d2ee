"""Images in memory as the resumable stream of batches that a derived network is trained on."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tf_darts.data.asset_files import LABELS_FILE, listed
from tf_darts.data.batches import TrainingBatch
from tf_darts.data.fingerprint import Fingerprint
from tf_darts.data.images.division import (
    SHUFFLED,
    check_division,
    divide,
    summary_line,
    warn_of_missing,
)
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.passes import ImageBatches, Passes, check_batches, training_split
from tf_darts.data.pipelines import mapped, read_ahead
from tf_darts.errors import UserError
from tf_darts.runtime.seeds import sub_seed


class ImageTrainingData:
    """Batches for training an image classifier.

    The images are divided once, the same way for all seeds: `validation_examples` are for
    validation, or those that the user gave for it, the others for training. Everything is a
    function of (seed, step), so any step can be gone to directly.

    With `steps_per_epoch` 0 an epoch is a pass. Otherwise epoch e is the steps from
    e·steps_per_epoch on of all passes in a row, so that short epochs still see all.

    Attributes:
      evaluation_batch_size: images in the batches of `evaluation` and `test`.
      validates: whether there are validation images.
      mean, std: of each channel of the pixels trained on, in units of 0..255, float64. They depend
        on the images, `division`, `validation_examples`, `train_on_all` and `train_examples` only,
        so that a test that is given the same ones normalises as the training did.
      train_labels, validation_labels: the classes of the two parts, int32.
      summary: a line about the parts.
    """

    longest: ClassVar[int] = 1  # a batch has no time steps

    def __init__(
        self,
        images: ImageSet,
        *,
        batch_size: int,
        seed: int,
        validation_examples: int,
        train_on_all: bool = False,
        train_examples: int = 0,
        division: str = SHUFFLED,
        crop_padding: int = 4,
        flip: bool = True,
        cutout: int = 0,
        steps_per_epoch: int = 0,
        evaluation_batch_size: int = 256,
        dtype: str = "float32",
    ) -> None:
        """Splits the images and measures them.

        Args:
          images: the training images.
          batch_size: images in a training batch.
          seed: of the order and the augmentation.
          validation_examples: how many images are kept for validation; may be 0, and has no
            meaning for images with a validation part of their own.
          train_on_all: trains on the validation images too, and validates on nothing.
          train_examples: how many of the images that remain are trained on; 0 is all.
          division: how the images are divided, see `divide`.
          crop_padding: the black border of which images are cut out at random; 0 is no cutting.
          flip: whether half of the images are mirrored.
          cutout: the side in pixels of the square that is blanked at random; 0 is none.
          steps_per_epoch: steps of an epoch; 0 is one pass.
          evaluation_batch_size: images in a batch of `evaluation` and `test`.
          dtype: of the normalised images.

        Raises:
          UserError: a setting is out of range, or there are too few images for it.
        """
        check_batches(batch_size, evaluation_batch_size, steps_per_epoch)
        check_division(images.name, division, images.user_validation_count)
        user_validation_count = 0 if train_on_all else images.user_validation_count
        total = len(images.labels) - user_validation_count
        requested_count = 0 if images.user_validation_count else validation_examples
        validation_count, train_count = training_split(
            images.name,
            total,
            batch_size=batch_size,
            validation_examples=requested_count,
            train_on_all=train_on_all,
            train_examples=train_examples,
        )
        train, validation = divide(
            images.labels,
            division,
            train=train_count,
            validation=validation_count,
            user_validation_count=user_validation_count,
        )
        order_seed = sub_seed(seed, "train", "order")
        self._passes = Passes(train, batch_size, order_seed, name=images.name, part="training part")
        self._batches = ImageBatches(
            images,
            train,
            seed=seed,
            dtype=dtype,
            crop_padding=crop_padding,
            flip=flip,
            cutout=cutout,
        )
        self.evaluation_batch_size = evaluation_batch_size
        self.validates = len(validation) > 0
        self.mean, self.std = self._batches.mean, self._batches.std
        self.train_labels = images.labels[train]
        self.validation_labels = images.labels[validation]
        parts = {"training part": self.train_labels, "validation part": self.validation_labels}
        self.summary = summary_line(images.name, images.classes, parts, images.skipped)
        warn_of_missing(images.name, images.classes, parts)
        self._formats = images.formats
        self._shape = images.shape
        self._classes = images.classes
        self._name = images.name
        parts = {"training": train, "validation": validation}
        self._fingerprint = images.fingerprint(parts, self.mean, self.std)
        self._validation = validation
        self._steps = steps_per_epoch or self._passes.steps

    def steps(self, epoch: int) -> int:
        """How many batches `epoch` has: as many as any other."""
        del epoch
        return self._steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[TrainingBatch]:
        """The batches of an epoch from `start_step` on; the same ones whenever it is called.

        Images are augmented and normalised, `[batch_size, height, width, channels]`; labels are
        int32 `[batch_size]`.
        """
        start, end = epoch * self._steps + start_step, (epoch + 1) * self._steps
        if start >= end:
            return
        numbers = self._passes.batches(start, end), np.arange(start, end)
        steps = tf.data.Dataset.from_tensor_slices(numbers)
        for step, batch in enumerate(read_ahead(mapped(steps, self._augmented)), start):
            yield TrainingBatch(
                batch=batch,
                learning_rate_scale=1.0,
                starts_pass=step % self._passes.steps == 0,
            )

    def evaluation(self) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """All validation images in order, normalised but not augmented; nothing if there are none.

        As in `epoch`, with `evaluation_batch_size` images, the last time possibly fewer.
        """
        return self._batches.plain(self._validation, self.evaluation_batch_size)

    def test(self, images: ImageSet) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """All test images in order, as in `evaluation`, normalised as the training images are.

        Args:
          images: the test part of the same data set, loaded with the same image size.

        Raises:
          UserError: the images have another shape or other classes than those trained on.
        """
        if (images.shape, images.classes) != (self._shape, self._classes):
            raise UserError(
                f"The test part of {images.name} has images of {_times(images.shape)} in"
                f" {len(images.classes)} classes, the training part of {_times(self._shape)} in"
                f" {len(self._classes)}, or the classes' names differ; make both alike, the sizes"
                " with --image_size=N."
            )
        return self._batches.plain_of(images, self.evaluation_batch_size)

    def description(self) -> dict[str, Any]:
        """The data set's name and counts, and what its pixels are normalised by."""
        return {
            "dataset": self._name,
            "image_shape": list(self._shape),
            "classes": len(self._classes),
            "train_images": len(self.train_labels),
            "validation_images": len(self.validation_labels),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            **({"formats": list(self._formats)} if self._formats else {}),
        }

    def fingerprint(self) -> Fingerprint:
        """What the images of both parts are, in this order."""
        return self._fingerprint

    def assets(self) -> dict[str, str]:
        """What a trained network must keep of its data, as files of its run by name."""
        return {LABELS_FILE: listed(self._classes)}

    def _augmented(self, numbers: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._batches.augmented(numbers, "train", step)


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
