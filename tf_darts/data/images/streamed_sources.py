"""Where photographs that do not fit in memory come from: TensorFlow Datasets, or a folder."""

import pathlib
from typing import Any

import numpy as np

from tf_darts.data.images import folder as image_folder
from tf_darts.data.images import pictures
from tf_darts.data.images import tfds as tfds_images
from tf_darts.data.images.division import (
    SHUFFLED,
    USER_VALIDATION,
    check_division,
    divide,
    summary_line,
    warn_of_missing,
)
from tf_darts.data.images.sources import EncodedImages, FileImages, TfdsImages
from tf_darts.errors import UserError
from tf_darts.runtime.console import say


class StreamedTfds:
    """An image classification set of TensorFlow Datasets.

    Attributes:
      classes: their names.
      total: how many training images there are.
      mixed: whether the classes are mixed in them.
      description: what is to be said of the set beside its counts.
    """

    def __init__(self, name: str, data_dir: pathlib.Path | None, division: str) -> None:
        if division != SHUFFLED:
            raise UserError(
                f"--division={division} is for images in memory and for --dataset=folder;"
                f" --dataset={name} is streamed in slices of its shuffled files: leave it out."
            )
        self._name = name
        self._prepared = tfds_images.prepare(name, data_dir)
        self._train = tfds_images.split_of(name, self._prepared, "train")
        info = self._prepared.builder.info
        self.classes = self._prepared.classes
        self.total = info.splits[self._train].num_examples
        self.mixed = not info.disable_shuffling
        self.description: dict[str, Any] = {}

    def parts(
        self, train_count: int, validation_count: int
    ) -> tuple[EncodedImages, EncodedImages | None, str]:
        """What is learnt from, what is validated on, and a line about both."""
        train = TfdsImages(
            self._prepared, f"{self._train}[{validation_count}:{validation_count + train_count}]"
        )
        if not validation_count:
            return train, None, ""
        return train, TfdsImages(self._prepared, f"{self._train}[0:{validation_count}]"), ""

    def test(self) -> EncodedImages:
        """The test images."""
        return TfdsImages(self._prepared, tfds_images.split_of(self._name, self._prepared, "test"))


class StreamedFolder:
    """The user's own images; attributes and methods as of `StreamedTfds`."""

    mixed = True

    def __init__(self, data_dir: pathlib.Path | None, division: str, train_on_all: bool) -> None:
        part = image_folder.TRAIN_AND_VALIDATION if division == USER_VALIDATION else "train"
        self._data_dir, self._division = data_dir, division
        self._files = image_folder.find_files(data_dir, part)
        check_division("folder", division, self._files.user_validation_count)
        self._user_validation_count = 0 if train_on_all else self._files.user_validation_count
        self.classes = self._files.classes
        self.total = len(self._files.paths) - self._user_validation_count
        self.description = {"formats": list(pictures.formats(self._files.paths))}

    def parts(
        self, train_count: int, validation_count: int
    ) -> tuple[EncodedImages, EncodedImages | None, str]:
        labels = self._files.labels
        parts = divide(
            labels,
            self._division,
            train=train_count,
            validation=validation_count,
            user_validation_count=self._user_validation_count,
        )
        part_labels = {"training part": labels[parts.train]}
        part_labels["validation part"] = labels[parts.validation]
        warn_of_missing("folder", self.classes, part_labels)
        summary = summary_line("folder", self.classes, part_labels, self._files.skipped)
        train, validation = (_file_images(self._files, numbers) for numbers in parts)
        return train, validation if validation.count else None, summary

    def test(self) -> EncodedImages:
        files = image_folder.find_files(self._data_dir, "test")
        say(summary_line("folder", files.classes, {"test part": files.labels}, files.skipped))
        return _file_images(files, np.arange(len(files.paths)))


def _file_images(files: image_folder.ImageFiles, numbers: np.ndarray) -> FileImages:
    return FileImages([str(files.paths[number]) for number in numbers], files.labels[numbers])
