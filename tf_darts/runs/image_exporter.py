"""How image classifiers are exported."""

import functools
import itertools
import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from tf_darts.data.asset_files import LABELS_FILE
from tf_darts.data.facts import ImageFacts
from tf_darts.formats.image_serving import ImageServing, crop_centre, scale_and_crop
from tf_darts.runs.exporter import Exporter
from tf_darts.runtime.precision import set_precision
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.training.recorded_names import described

_REPRESENTATIVE = 200  # images by which the ranges of 8-bit numbers are chosen


class Pixels(NamedTuple):
    """What a training knew of its images.

    Attributes:
      shape: height, width and channels.
      mean: of each channel, in units of 0..255.
      std: of each channel, likewise.
    """

    shape: tuple[int, int, int]
    mean: list[float]
    std: list[float]


class ImageExporter(Exporter):
    """For image classifiers."""

    names_file = LABELS_FILE
    count = "classes"
    task = "image-classification"
    intended_use = (
        "The network tells its classes apart in pictures that look like those of its data set; it"
        " was made to compare architectures."
    )
    limits: ClassVar[Mapping[str, str]] = {
        "other pictures": "The network has no class for anything else: it names one of its own for"
        " every picture.",
        "probabilities": "Nobody has calibrated them; compare them with how often the network is"
        " right on your own pictures before you rely on them.",
        "scores": "They hold for the data set's own parts; of the people and places that are not in"
        " it nothing is known.",
    }

    @functools.cached_property
    def pixels(self) -> Pixels:
        """What the training knew of its pixels; raises `UserError` where that is broken."""
        shape, mean, std = (self.training.data.get(n) for n in ("image_shape", "mean", "std"))
        sizes = isinstance(shape, list) and len(shape) == 3 and all(type(n) is int for n in shape)
        valid = sizes and min(shape) > 0 and _numbers(mean, shape[2]) and _numbers(std, shape[2])
        described(self.training.run.path, "its images", valid and min(std) > 0)
        return Pixels(tuple(shape), mean, std)

    @property
    def facts(self) -> ImageFacts:
        return ImageFacts(self.pixels.shape, len(self.names))

    def serving(self, network: TrainingObjective, *, exported: bool) -> ImageServing:
        del exported  # the same function is exported and trained
        model, pixels = network.model, self.pixels
        return ImageServing(
            lambda images: tf.cast(model(tf.cast(images, model.compute_dtype)), tf.float32),
            [variable.value for variable in network.inference_variables],
            shape=pixels.shape,
            mean=pixels.mean,
            std=pixels.std,
            labels=self.names,
            labels_file=self.training.run.path / self.names_file,
            fit=crop_centre if self.config.stream_images else scale_and_crop,
        )

    def representative(self) -> np.ndarray:
        """Training images, augmented, float32 [images, height, width, channels], 0..255."""
        set_precision("float32")
        data = self.read_data()
        batches = (batch.batch[0] for batch in data.epoch(0))
        few = itertools.islice(batches, -(-_REPRESENTATIVE // self.config.batch_size))
        images = np.concatenate(list(few))[:_REPRESENTATIVE]
        return np.float32(images * np.float32(self.pixels.std) + np.float32(self.pixels.mean))


def _numbers(value: Any, count: int) -> bool:
    """Whether a value is a list of so many finite numbers."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(type(n) in (int, float) and math.isfinite(n) for n in value)
    )
