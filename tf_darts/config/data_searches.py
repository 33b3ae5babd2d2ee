"""The settings that a search has beside `SearchConfig`'s, by its kind of data: texts or images."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.config.data_settings import (
    crop_padding_setting,
    flip_setting,
    image_size_setting,
    min_count_setting,
    short_probability_setting,
    train_examples_setting,
)
from tf_darts.config.division import divided, division_setting
from tf_darts.config.search import SearchConfig
from tf_darts.config.setting import again, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextSearchConfig(SearchConfig):
    """What every search on text has: how the text is read. Defaults are for Penn Treebank."""

    purpose: ClassVar[str] = "searches on texts"

    bptt: int = setting(
        35,
        "A training batch has this many time steps.",
        group="data",
        unit="time steps",
        minimum=4,
        maximum=10**4,
    )
    short_probability: float = short_probability_setting()
    min_count: int = min_count_setting()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSearchConfig(SearchConfig):
    """What every search on images has: how the images are read. Defaults are for CIFAR-10."""

    purpose: ClassVar[str] = "searches on images"
    prefers_inter_op_threads: ClassVar[bool] = True

    batch_size: int = again(SearchConfig, "batch_size", 64)
    evaluation_batch_size: int = again(SearchConfig, "evaluation_batch_size", 256)
    weight_learning_rate: float = again(SearchConfig, "weight_learning_rate", 0.025)
    final_weight_learning_rate: float = again(SearchConfig, "final_weight_learning_rate", 0.001)
    momentum: float = again(SearchConfig, "momentum", 0.9)
    weight_decay: float = again(SearchConfig, "weight_decay", 3e-4)
    clip_norm: float = again(SearchConfig, "clip_norm", 5.0)
    alpha_learning_rate: float = again(SearchConfig, "alpha_learning_rate", 3e-4)
    alpha_beta_1: float = again(SearchConfig, "alpha_beta_1", 0.5)
    image_size: int = image_size_setting()
    train_portion: float = setting(
        0.5,
        "The weights learn from this share of the training images, and alpha from the rest.",
        group="data",
        above=0.0,
        below=1.0,
    )
    train_examples: int = train_examples_setting()
    division: str = division_setting()
    crop_padding: int = crop_padding_setting()
    flip: bool = flip_setting()
    permute_labels: bool = setting(
        False,
        "The images get each other's classes, so that there is nothing to learn: a negative"
        " control.",
        group="data",
        legacy=False,
    )

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        return divided(super().validated(overrides, preset), overrides, "train_portion")
