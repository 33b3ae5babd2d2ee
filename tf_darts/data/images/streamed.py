"""Photographs that do not fit in memory as the stream that a derived network is trained on."""

import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import tensorflow as tf
from absl import logging

from tf_darts.data import own_sets
from tf_darts.data.asset_files import LABELS_FILE, listed
from tf_darts.data.batches import TrainingBatch
from tf_darts.data.fingerprint import Fingerprint, fingerprint_of_images
from tf_darts.data.images import photo_augmentation
from tf_darts.data.images.division import SHUFFLED, USER_VALIDATION
from tf_darts.data.images.passes import check_batches, training_split
from tf_darts.data.images.photo_augmentation import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    MOBILE_JITTER,
    ColourJitter,
)
from tf_darts.data.images.registry import IMAGE_DATASETS
from tf_darts.data.images.sources import EncodedImages
from tf_darts.data.images.streamed_sources import StreamedFolder, StreamedTfds
from tf_darts.data.pipelines import mapped, read_ahead
from tf_darts.errors import UserError
from tf_darts.runtime import files
from tf_darts.runtime.seeds import sub_seed


class StreamedImageData:
    """Batches for training an image classifier on photographs, read and decoded as they are needed.

    A training image is a random region of a photograph, scaled to a square, perhaps mirrored, its
    colours changed at random; an evaluation image the centre of one. Each pass has an order of its
    own; what fills no batch is left out. Everything is a function of (seed, step), so any step can
    be gone to directly, without decoding what lies before it.

    With `steps_per_epoch` 0 an epoch is a pass. Otherwise epoch e is the steps from
    e·steps_per_epoch on of all passes in a row, so that short epochs still see all.

    Attributes:
      evaluation_batch_size: images in the batches of `evaluation` and `test`.
      validates: whether there are validation images.
      classes: the names of the classes.
      summary: a line about the parts; empty for a data set of TFDS.
      shape: height, width and channels of the images, always RGB.
    """

    longest: ClassVar[int] = 1  # a batch has no time steps

    def __init__(
        self,
        name: str,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        image_size: int = 224,
        batch_size: int,
        seed: int,
        validation_examples: int,
        train_on_all: bool = False,
        train_examples: int = 0,
        division: str = SHUFFLED,
        flip: bool = True,
        random_crop: bool = True,
        colour_jitter: ColourJitter | Sequence[float] = MOBILE_JITTER,
        steps_per_epoch: int = 0,
        evaluation_batch_size: int = 256,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        dtype: str = "float32",
    ) -> None:
        """Finds the images; their test part is not looked at.

        Args:
          name: `folder`, or an image classification set of TensorFlow Datasets, whose validation
            images are the first of its split `train`. Those of a folder are drawn from it, the same
            ones for all seeds.
          data_dir: the directory of the images, or of TFDS's prepared data sets; empty or None is
            TFDS's default directory.
          image_size: pixels of a side.
          batch_size: images in a training batch.
          seed: of the order and the augmentation.
          validation_examples: how many of the training images are kept for validation; may be 0.
          train_on_all: trains on the validation images too, and validates on nothing.
          train_examples: how many of the images that remain are trained on; 0 is all.
          division: how the images of a folder are divided, see `divide`; those of TFDS are as
            shuffled.
          flip: whether half of the images are mirrored.
          random_crop: whether a training image is a random part of its photograph; else it is the
            middle, as in evaluation.
          colour_jitter: brightness, contrast, saturation and hue, see `ColourJitter`.
          steps_per_epoch: steps of an epoch; 0 is one pass.
          evaluation_batch_size: images in a batch of `evaluation` and `test`.
          mean: of each channel, in units of 0..255, subtracted from all images.
          std: of each channel, in units of 0..255, by which they are divided.
          dtype: of the normalised images.

        Raises:
          UserError: a setting is out of range, or there are too few images for it, or they cannot
            be had.
        """
        check_batches(batch_size, evaluation_batch_size, steps_per_epoch)
        if image_size < 1:
            raise UserError(f"Photographs are scaled to --image_size=N, not {image_size}: give 1+.")
        jitter = ColourJitter(*colour_jitter)
        if not (min(jitter) >= 0 and max(jitter[:3]) <= 1 and jitter.hue <= 0.5):
            raise UserError(
                f"A colour jitter of {', '.join(map(str, jitter))}: give brightness, contrast and"
                " saturation from 0 to 1 and a hue from 0 to 0.5."
            )
        if name == "folder":
            source = StreamedFolder(_directory(data_dir), division, train_on_all)
        elif name in IMAGE_DATASETS or name in own_sets.IMAGES:
            raise UserError(
                f"--stream_images reads photographs of --dataset=folder or of TensorFlow Datasets;"
                f" the images of --dataset={name} are always in memory: leave it out."
            )
        else:
            source = StreamedTfds(name, _directory(data_dir), division)
        self._source, self.classes = source, source.classes
        requested_count = 0 if division == USER_VALIDATION else validation_examples
        validation_count, train_count = training_split(
            name,
            source.total,
            batch_size=batch_size,
            validation_examples=requested_count,
            train_on_all=train_on_all,
            train_examples=train_examples,
        )
        if validation_count and not source.mixed:
            logging.warning(
                "%s was prepared unshuffled: its first %d images, kept for validation, may be of"
                " few classes.",
                name,
                validation_count,
            )
        self.evaluation_batch_size = evaluation_batch_size
        self.shape = (image_size, image_size, 3)
        self._train, self._validation, self.summary = source.parts(train_count, validation_count)
        self.validates = self._validation is not None
        self._description = {
            "dataset": name,
            "image_shape": list(self.shape),
            "classes": len(self.classes),
            "train_images": train_count,
            "validation_images": self._validation.count if self._validation else 0,
            "mean": list(mean),
            "std": list(std),
            **source.description,
        }
        self._batch_size = batch_size
        self._order_seed = sub_seed(seed, "train", "order")
        self._augmentation_seed = sub_seed(seed, "train", "augmentation")
        self._flip, self._random_crop = flip, random_crop
        self._jitter = jitter
        self._mean, self._std, self._dtype = tuple(mean), tuple(std), dtype
        self._pass_steps = train_count // batch_size
        self._steps = steps_per_epoch or self._pass_steps

    def steps(self, epoch: int) -> int:
        """How many batches `epoch` has: as many as any other."""
        del epoch
        return self._steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[TrainingBatch]:
        """The batches of an epoch from `start_step` on; the same ones whenever it is called.

        Images are augmented and normalised, `[batch_size, image_size, image_size, 3]`; labels are
        int32 `[batch_size]`.
        """
        step, end = epoch * self._steps + start_step, (epoch + 1) * self._steps
        while step < end:
            number, first_batch = divmod(step, self._pass_steps)
            last_batch = min(self._pass_steps, first_batch + end - step)
            for batch in self._pass(number, first_batch, last_batch):
                yield TrainingBatch(
                    batch=batch,
                    learning_rate_scale=1.0,
                    starts_pass=step % self._pass_steps == 0,
                )
                step += 1

    def evaluation(self) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """The centres of all validation images in order; nothing if there are none.

        As in `epoch`, with `evaluation_batch_size` images, the last time possibly fewer.
        """
        if self._validation:
            yield from self._plain(self._validation)

    def test(self) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """The centres of all test images in order, as in `evaluation`.

        Raises:
          UserError: there is no test part, or it has other classes.
        """
        yield from self._plain(self._test)

    def description(self) -> dict[str, Any]:
        """The data set's name and counts, and what its pixels are normalised by."""
        return dict(self._description)

    def fingerprint(self) -> Fingerprint:
        """What the images of both parts are, in this order; see `EncodedImages.part`."""
        parts = {"training": self._train.part()}
        if self._validation:
            parts["validation"] = self._validation.part()
        return fingerprint_of_images(self.classes, parts, self.shape, self._mean, self._std)

    def test_fingerprint(self) -> Fingerprint:
        """What the test part is; raises as `test`."""
        return fingerprint_of_images(self.classes, {"test": self._test.part()}, self.shape)

    def assets(self) -> dict[str, str]:
        """What a trained network must keep of its data, as files of its run by name."""
        return {LABELS_FILE: listed(self.classes)}

    @functools.cached_property
    def _test(self) -> EncodedImages:
        # Kept, as a folder is gone through for it, and says what was found.
        return self._source.test()

    def _pass(
        self, number: int, first_batch: int, last_batch: int
    ) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """The batches of a pass from the one numbered `first_batch` on, up to `last_batch`."""
        start = first_batch * self._batch_size
        images = self._train.shuffled(self._order_seed, number, start)
        # Numbered over the whole run, as each has an augmentation of its own.
        position = number * self._pass_steps * self._batch_size + start
        dataset = images.take((last_batch - first_batch) * self._batch_size).enumerate(position)
        return self._batched(dataset, self._augmented, self._batch_size, self._train)

    def _plain(self, images: EncodedImages) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        return self._batched(images.ordered(), self._centred, self.evaluation_batch_size, images)

    def _batched(
        self,
        dataset: tf.data.Dataset,
        prepare: Callable[..., tuple],
        batch_size: int,
        source: EncodedImages,
    ) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        try:
            yield from read_ahead(mapped(dataset, prepare).batch(batch_size))
        except tf.errors.OpError as error:
            if source.failure:
                raise source.failure from error
            reason = error.message.partition("\n")[0]
            raise UserError(
                f"{self._description['dataset']}: an image is damaged or not to be read ({reason});"
                " repair or remove it, or prepare the data set again."
            ) from error

    def _augmented(
        self, position: tf.Tensor, pair: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        encoded, label = pair
        key = tf.stack([tf.constant(self._augmentation_seed, tf.int64), position])
        # Three related draws would come of one key.
        region_key, jitter_key, flip_key = tf.unstack(
            tf.random.experimental.stateless_split(key, 3, alg="philox")
        )
        size = photo_augmentation.image_size(encoded)
        if self._random_crop:
            region = photo_augmentation.random_region(size, region_key)
        else:
            region = photo_augmentation.central_region(size)
        image = photo_augmentation.decode_region(encoded, *region)
        image = photo_augmentation.resize(image, self.shape[0])
        if self._flip:
            mirrored = tf.random.stateless_uniform([], flip_key, alg="philox") < 0.5
            image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
        return self._normalised(photo_augmentation.jitter(image, self._jitter, jitter_key)), label

    def _centred(self, encoded: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        region = photo_augmentation.central_region(photo_augmentation.image_size(encoded))
        image = photo_augmentation.decode_region(encoded, *region)
        return self._normalised(photo_augmentation.resize(image, self.shape[0])), label

    def _normalised(self, image: tf.Tensor) -> tf.Tensor:
        mean, std = (tf.constant(numbers, tf.float32) for numbers in (self._mean, self._std))
        return tf.cast((tf.ensure_shape(image, self.shape) - mean) / std, self._dtype)


def _directory(path: str | os.PathLike[str] | None) -> pathlib.Path | None:
    directory = files.expanded(path) if path else None
    if directory and not files.is_directory(directory):
        raise UserError(
            f"{directory} is not a directory; give one that exists, or make it with"
            f" mkdir -p {directory}."
        )
    return directory
