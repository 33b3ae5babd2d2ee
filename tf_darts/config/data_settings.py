"""The settings of how data are read that searches and trainings share."""

from typing import Any

from tf_darts.config.setting import MOST_EXAMPLES, setting


def short_probability_setting() -> Any:
    """The field of whoever reads texts."""
    return setting(
        0.05,
        "A training batch has half the time steps with this probability.",
        group="data",
        minimum=0.0,
        below=1.0,
    )


def min_count_setting() -> Any:
    """The field of whoever reads texts."""
    return setting(
        1,
        "The words that the training part has fewer times become <unk>; pydoc takes 2 for 1.",
        group="data",
        unit="times",
        minimum=1,
        maximum=10**9,
    )


def image_size_setting() -> Any:
    """The field of whoever reads images."""
    return setting(
        0,
        "The images are scaled to this many pixels a side; 0 leaves the data set's own size.",
        group="data",
        unit="pixels",
        minimum=0,
        maximum=2**13,
    )


def train_examples_setting() -> Any:
    """The field of whoever reads images."""
    return setting(
        0,
        "The run takes this many of the training images; 0 takes all.",
        group="data",
        unit="images",
        minimum=0,
        maximum=MOST_EXAMPLES,
    )


def crop_padding_setting() -> Any:
    """The field of whoever reads images."""
    return setting(
        4,
        "The training images are padded by this many pixels on each side before a random crop.",
        group="data",
        unit="pixels",
        minimum=0,
        maximum=2**12,
    )


def flip_setting() -> Any:
    """The field of whoever reads images."""
    return setting(
        True,
        "The training images are mirrored left to right, half of them at random.",
        group="data",
    )
