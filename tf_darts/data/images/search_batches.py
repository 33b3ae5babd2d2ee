"""Images as the endless, resumable stream of batches that a convolutional search reads."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tf_darts.data.batches import SearchBatch
from tf_darts.data.fingerprint import Fingerprint
from tf_darts.data.images.division import (
    SHUFFLED,
    check_division,
    divide,
    summary_line,
    warn_of_missing,
)
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.passes import ImageBatches, Passes, check_batches, check_examples
from tf_darts.data.pipelines import mapped, read_ahead
from tf_darts.errors import UserError
from tf_darts.runtime.seeds import sub_seed


class ImageSearchData:
    """Batches for the bilevel search on images.

    The images are divided once, the same way for all seeds, into a half for the weights and a half
    for the architecture; where the user gave validation images, these are the architecture's. Each
    half is read in passes of its own, side by side. Everything is a function of (seed, step), so
    any step can be gone to directly.

    With `steps_per_epoch` 0 an epoch is a pass over the weights' half. Otherwise epoch e is the
    steps from e·steps_per_epoch on of all passes in a row, so that short epochs still see all.

    Attributes:
      evaluation_batch_size: images in the batches of `evaluation`.
      mean, std: of each channel of the pixels of both halves, in units of 0..255, float64.
      train_labels, validation_labels: the classes of the two halves, int32.
      summary: a line about the halves.
    """

    longest: ClassVar[int] = 1  # a batch has no time steps

    def __init__(
        self,
        images: ImageSet,
        *,
        batch_size: int,
        seed: int,
        train_portion: float = 0.5,
        train_examples: int = 0,
        division: str = SHUFFLED,
        crop_padding: int = 4,
        flip: bool = True,
        steps_per_epoch: int = 0,
        evaluation_batch_size: int = 256,
        dtype: str = "float32",
        joint: bool = False,
        cutout: int = 0,
        cutout_rate: float = 0.0,
        epochs: int = 1,
    ) -> None:
        """Splits the images and measures them.

        Args:
          images: the training images.
          batch_size: images in a training and in a validation batch.
          seed: of the order and the augmentation.
          train_portion: the share of the weights' half; has no meaning for images with a
            validation part of their own.
          train_examples: how many of the images are used, beside a validation part of their own; 0
            is all.
          division: how the images are divided, see `divide`.
          crop_padding: the black border of which images are cut out at random; 0 is no cutting.
          flip: whether half of the images are mirrored.
          steps_per_epoch: steps of an epoch; 0 is one pass over the weights' half.
          evaluation_batch_size: images in a batch of `evaluation`.
          dtype: of the normalised images.
          joint: each pass cuts all images into two halves anew, so that both parts learn from all.
            The evaluation is then of images that the weights have learnt from.
          cutout: the side in pixels of the square that an image may lose; 0 is none.
          cutout_rate: how probable that is for each image in the last epoch; in epoch e it is
            rate·e/(epochs-1), and in epochs after the last one as there.
          epochs: of the search.

        Raises:
          UserError: a setting is out of range, or there are too few images for it.
        """
        check_batches(batch_size, evaluation_batch_size, steps_per_epoch)
        if not 0 < train_portion < 1:
            raise UserError(f"A train_portion of {train_portion} is not between 0 and 1.")
        check_division(images.name, division, images.user_validation_count)
        total = len(images.labels) - images.user_validation_count
        check_examples(images.name, train_examples, total)
        count = train_examples or total
        train_count = count if images.user_validation_count else int(train_portion * count)
        train, validation = divide(
            images.labels,
            division,
            train=train_count,
            validation=count - train_count,
            user_validation_count=images.user_validation_count,
            train_first=True,
        )
        used = np.concatenate([train, validation])
        self._passes: list[Passes] = []
        if joint:
            order_seed = sub_seed(seed, "joint", "order")
            error_names = {"name": images.name, "part": "whole training part"}
            self._passes = [Passes(used, 2 * batch_size, order_seed, **error_names)]
        else:
            for stream, half, part in (
                ("train", train, "training half"),
                ("validation", validation, "validation half"),
            ):
                order_seed = sub_seed(seed, stream, "order")
                error_names = {"name": images.name, "part": part}
                self._passes.append(Passes(half, batch_size, order_seed, **error_names))
        self._batches = ImageBatches(
            images,
            used,
            seed=seed,
            dtype=dtype,
            crop_padding=crop_padding,
            flip=flip,
            cutout=cutout,
            cutout_flag="search_cutout",
        )
        self._cutout_rate = cutout_rate
        self._epochs = epochs
        self.evaluation_batch_size = evaluation_batch_size
        self.mean, self.std = self._batches.mean, self._batches.std
        self.train_labels = images.labels[train]
        self.validation_labels = images.labels[validation]
        parts = {"half for w": self.train_labels, "half for alpha": self.validation_labels}
        self.summary = summary_line(images.name, images.classes, parts, images.skipped)
        warn_of_missing(images.name, images.classes, parts)
        self._description = {
            "dataset": images.name,
            "image_shape": list(images.shape),
            "classes": len(images.classes),
            "train_images": len(train),
            "validation_images": len(validation),
        }
        parts = {"training": train, "validation": validation}
        self._fingerprint = images.fingerprint(parts, self.mean, self.std)
        self._evaluation = validation
        self._steps = steps_per_epoch or self._passes[0].steps

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
        # One series of batches of both, or one for each; [steps, batch_size] in the end.
        series = [passes.batches(start, end) for passes in self._passes]
        train, validation = np.split(np.concatenate(series, axis=1), 2, axis=1)
        numbers = tf.data.Dataset.from_tensor_slices((train, validation, np.arange(start, end)))
        batches = read_ahead(mapped(numbers, self._augmented_pair))
        for step, (train, validation) in enumerate(batches, start):
            yield SearchBatch(
                train=train,
                validation=validation,
                learning_rate_scale=1.0,
                starts_pass=step % self._passes[0].steps == 0,
            )

    def evaluation(self) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """All of the architecture's half in order, normalised but not augmented.

        As in `epoch`, with `evaluation_batch_size` images, the last time possibly fewer.
        """
        return self._batches.plain(self._evaluation, self.evaluation_batch_size)

    def sample(self) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """As `evaluation`, in a random order, always the same one: files may lie class by class."""
        order = np.random.default_rng(sub_seed(0, "sample")).permutation(len(self._evaluation))
        return self._batches.plain(self._evaluation[order], self.evaluation_batch_size)

    def description(self) -> dict[str, str | int | list[int]]:
        """The data set's name and its counts, for reports."""
        return dict(self._description)

    def fingerprint(self) -> Fingerprint:
        """What the images of both halves are, in this order."""
        return self._fingerprint

    def _augmented_pair(
        self, train: tf.Tensor, validation: tf.Tensor, step: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        epoch = tf.cast(step // self._steps, tf.float64)
        rate = self._cutout_rate * tf.minimum(epoch / max(self._epochs - 1, 1), 1.0)
        return (
            self._batches.augmented(train, "train", step, rate),
            self._batches.augmented(validation, "validation", step, rate),
        )
