"""The settings of training a derived network from random weights."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.cells import references
from tf_darts.cells.published import published_cells
from tf_darts.config.data_settings import (
    crop_padding_setting,
    flip_setting,
    image_size_setting,
    min_count_setting,
    short_probability_setting,
    train_examples_setting,
)
from tf_darts.config.division import divided, division_setting
from tf_darts.config.run import RunConfig
from tf_darts.config.setting import MOST_EXAMPLES, again, setting
from tf_darts.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig(RunConfig):
    """What every training has. Defaults are docs/method.md section 5's for Penn Treebank.

    Attributes:
      schedule: of the learning rate; constant where a space has no such setting.
      averaging_patience: see the setting of that name; 0 where weights are never averaged.
      train_on_all: whether there is no validation part; always one where there is no such setting.
    """

    purpose: ClassVar[str] = "trainings"
    schedule: ClassVar[str] = "constant"
    averaging_patience: ClassVar[int] = 0
    train_on_all: ClassVar[bool] = False

    mode: str = setting(
        "train", "The mode says what the program does.", group="run", choices=("train",)
    )
    # Not computed with: the cell itself is among a run's settings, wherever its file was.
    genotype: str = setting(
        "",
        "The network is made of this cell: a genotype.json, RUN/history.jsonl:N for the one after"
        " N epochs of a search, the name of a published cell, or a file or text of another program"
        " (docs/own_cell.md).",
        group="run",
        operational=True,
    )
    epochs: int = again(RunConfig, "epochs", 8000)
    batch_size: int = setting(
        64,
        "A step takes this many training examples.",
        group="learning",
        unit="examples",
        minimum=2,
        maximum=2**20,
    )
    weight_decay: float = again(RunConfig, "weight_decay", 8e-7)
    learning_rate: float = setting(
        20.0,
        "The learning rate of the weights begins at this value.",
        group="training",
        above=0.0,
        maximum=1e4,
    )

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        del preset
        self.check_devices()
        self.check_momentum(overrides)
        if not self.genotype:
            published = ", ".join(published_cells(self.space))
            theirs = f", or a published one, for --dataset={self.dataset} one of {published}"
            raise UserError(
                "no --genotype given; --mode=train needs a cell: --genotype=RUN/genotype.json of a"
                f" search{theirs if published else ''}."
            )
        return self.with_run_dir(references.label(self.genotype))

    def for_inference(self) -> Self:
        """The same without what a network has for its training only: for its export."""
        return self

    @property
    def why_no_more_epochs(self) -> str:
        """Why such a training cannot go on for more epochs than it began with; "" where it can.

        It can where nothing that is computed depends on how many epochs there are.
        """
        return ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextTrainingConfig(TrainingConfig):
    """What every training on text has: how the text is read, and averaged weights."""

    purpose: ClassVar[str] = "trainings on texts"

    bptt: int = setting(
        35,
        "A training batch has this many time steps on average.",
        group="data",
        unit="time steps",
        minimum=6,
        maximum=10**4,
    )
    short_probability: float = short_probability_setting()
    min_count: int = min_count_setting()
    test_batch_size: int = setting(
        1,
        "The test reads this many texts side by side.",
        group="training",
        unit="texts",
        minimum=1,
        maximum=2**20,
    )
    averaging_patience: int = setting(
        5,
        "The weights are averaged from the epoch on whose validation is no better than the best"
        " until this many epochs before it; 0 never averages.",
        group="training",
        unit="epochs",
        minimum=0,
        maximum=10**6,
    )
    max_rollbacks: int = again(RunConfig, "max_rollbacks", 10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTrainingConfig(TrainingConfig):
    """What every training on images has: how the images are read, and the schedule of the step."""

    purpose: ClassVar[str] = "trainings on images"
    prefers_inter_op_threads: ClassVar[bool] = True

    epochs: int = again(TrainingConfig, "epochs", 600)
    batch_size: int = again(TrainingConfig, "batch_size", 96)
    evaluation_batch_size: int = again(TrainingConfig, "evaluation_batch_size", 256)
    momentum: float = again(TrainingConfig, "momentum", 0.9)
    weight_decay: float = again(TrainingConfig, "weight_decay", 3e-4)
    clip_norm: float = again(TrainingConfig, "clip_norm", 5.0)
    learning_rate: float = again(TrainingConfig, "learning_rate", 0.025)
    schedule: str = setting(
        "cosine",
        "The learning rate falls along a cosine to 0, after every epoch or after every step, or"
        " exponentially.",
        group="training",
        choices=("cosine", "cosine_by_step", "exponential"),
    )
    learning_rate_decay: float = setting(
        0.97,
        "With --schedule=exponential, each epoch multiplies the learning rate by this factor.",
        group="training",
        above=0.0,
        below=1.0,
    )
    image_size: int = image_size_setting()
    crop_padding: int = crop_padding_setting()
    flip: bool = flip_setting()
    cutout: int = setting(
        16,
        "The training images lose a square with sides of this many pixels; 0 leaves them whole.",
        group="data",
        unit="pixels",
        minimum=0,
        maximum=2**13,
    )
    stream_images: bool = setting(
        False,
        "The photographs stay on the disk and are read and scaled while training; otherwise all"
        " images are held in memory.",
        group="data",
    )
    random_resized_crop: bool = setting(
        False,
        "A streamed training image is a random part of its photograph, not its middle.",
        group="data",
    )
    color_jitter: float = setting(
        0.0,
        "The brightness, contrast and saturation of streamed training images vary around 1 by up"
        " to this share.",
        group="data",
        minimum=0.0,
        below=1.0,
    )
    hue_jitter: float = setting(
        0.0,
        "The hue of streamed training images is shifted by up to this share of its circle; 0.5 is"
        " all of it.",
        group="data",
        minimum=0.0,
        maximum=0.5,
    )
    train_examples: int = train_examples_setting()
    validation_examples: int = setting(
        5000,
        "The validation keeps this many of the training images.",
        group="data",
        unit="images",
        minimum=1,
        maximum=MOST_EXAMPLES,
    )
    division: str = division_setting()
    train_on_all: bool = setting(
        False,
        "The network learns from all training images, without validation, and the last weights"
        " count.",
        group="data",
    )

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        def refuse(name: str, because: str) -> None:
            if name in overrides:
                raise UserError(f"--{name} has no meaning {because}; leave it out.")

        if self.schedule != "exponential":
            refuse("learning_rate_decay", f"for --schedule={self.schedule}")
        if self.train_on_all:
            refuse("validation_examples", "with --train_on_all")
        if self.stream_images:
            refuse("crop_padding", "with --stream_images")
            refuse("cutout", "with --stream_images")
        else:
            refuse("random_resized_crop", "without --stream_images")
            refuse("color_jitter", "without --stream_images")
            refuse("hue_jitter", "without --stream_images")
        if self.stream_images and not self.image_size:
            raise UserError(
                "--stream_images needs --image_size=N, the pixels of a side of what is made of a"
                " photograph."
            )
        return divided(super().validated(overrides, preset), overrides, "validation_examples")

    @property
    def why_no_more_epochs(self) -> str:
        if self.schedule != "exponential":
            return "its learning rate falls to 0 over exactly the epochs that it began with"
        return ""
