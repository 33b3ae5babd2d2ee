"""The settings of training a derived network from random weights."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.cells import references
from tf_darts.cells.published import published_cells
from tf_darts.config.division import divided, division_setting
from tf_darts.config.run import RunConfig
from tf_darts.config.setting import MOST_EXAMPLES, setting
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

    mode: str = setting("train", "what to do", choices=("train",))
    # Not computed with: the cell itself is among a run's settings, wherever its file was.
    genotype: str = setting(
        "",
        "the cell: a genotype.json, the name of a published one, or a file or text of another"
        " program (docs/own_cell.md)",
        operational=True,
    )
    epochs: int = setting(8000, "passes over the training data", minimum=1, maximum=10**6)
    batch_size: int = setting(64, "examples of a training batch", minimum=2, maximum=2**20)
    weight_decay: float = setting(
        8e-7, "of the weights, added to the gradient", minimum=0.0, maximum=1e3
    )
    learning_rate: float = setting(20.0, "of the weights, at its start", above=0.0, maximum=1e4)

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

    bptt: int = setting(35, "mean time steps of a batch", minimum=6, maximum=10**4)
    short_probability: float = setting(
        0.05, "how often a training batch has half the time steps", minimum=0.0, below=1.0
    )
    min_count: int = setting(1, "rarer training words become <unk>", minimum=1, maximum=10**9)
    test_batch_size: int = setting(1, "texts side by side in the test", minimum=1, maximum=2**20)
    averaging_patience: int = setting(
        5,
        "weights are averaged from where validation is no better than the best of all but the last"
        " so many epochs (0: never)",
        minimum=0,
        maximum=10**6,
    )
    max_rollbacks: int = setting(
        10,
        "how often a diverged run goes back: a search to its last epoch's end, a training to its"
        " best",
        minimum=0,
        maximum=10**6,
        operational=True,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageTrainingConfig(TrainingConfig):
    """What every training on images has: how the images are read, and the schedule of the step."""

    purpose: ClassVar[str] = "trainings on images"
    prefers_inter_op_threads: ClassVar[bool] = True

    epochs: int = setting(600, "passes over the training data", minimum=1, maximum=10**6)
    batch_size: int = setting(96, "examples of a training batch", minimum=2, maximum=2**20)
    evaluation_batch_size: int = setting(
        256, "examples of a batch in evaluation", minimum=1, maximum=2**20
    )
    momentum: float = setting(0.9, "of the weights' SGD", minimum=0.0, below=1.0)
    weight_decay: float = setting(
        3e-4, "of the weights, added to the gradient", minimum=0.0, maximum=1e3
    )
    clip_norm: float = setting(
        5.0, "largest global norm of the weights' gradient (0: none)", minimum=0.0, maximum=1e30
    )
    learning_rate: float = setting(0.025, "of the weights, at its start", above=0.0, maximum=1e4)
    schedule: str = setting(
        "cosine",
        "of the learning rate: cosine to 0, or exponential",
        choices=("cosine", "exponential"),
    )
    learning_rate_decay: float = setting(
        0.97, "factor an epoch of --schedule=exponential", above=0.0, below=1.0
    )
    image_size: int = setting(
        0, "pixels of a side (0: the data set's own)", minimum=0, maximum=2**13
    )
    crop_padding: int = setting(
        4, "pixels around an image before its random crop", minimum=0, maximum=2**12
    )
    flip: bool = setting(True, "half of the images, left to right")
    cutout: int = setting(
        16, "pixels of a side of the square cut out of an image", minimum=0, maximum=2**13
    )
    stream_images: bool = setting(
        False,
        "photographs stay on the disk and are read and scaled while training; without it all images"
        " are in memory",
    )
    random_resized_crop: bool = setting(
        False, "a streamed training image is a random part of its photograph, not the middle"
    )
    color_jitter: float = setting(
        0.0, "range of brightness, contrast and saturation around 1", minimum=0.0, below=1.0
    )
    hue_jitter: float = setting(0.0, "range of the hue's shift, 0.5 is all", minimum=0.0, below=0.5)
    train_examples: int = setting(
        0, "takes so many of the training images (0: all)", minimum=0, maximum=MOST_EXAMPLES
    )
    validation_examples: int = setting(
        5000, "training images that are kept for validation", minimum=1, maximum=MOST_EXAMPLES
    )
    division: str = division_setting()
    train_on_all: bool = setting(
        False, "learns from all training images, without validation; the last weights count"
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
        if self.schedule == "cosine":
            return "its learning rate falls to 0 over exactly the epochs that it began with"
        return ""
