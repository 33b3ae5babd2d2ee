"""The settings of searches and trainings of convolutional cells (docs/method.md section 4)."""

import dataclasses
from typing import Self

from tf_darts.config.data_searches import ImageSearchConfig
from tf_darts.config.setting import again, rate, setting
from tf_darts.config.training import ImageTrainingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionalSearchConfig(ImageSearchConfig):
    """The search for convolutional cells on images."""

    space: str = again(ImageSearchConfig, "space", "convolutional")
    channels: int = setting(
        16,
        "The nodes of the first cell have this many channels.",
        unit="channels",
        minimum=1,
        maximum=2**14,
    )
    layers: int = setting(
        8,
        "The network has this many cells, two of which are reduction cells.",
        unit="cells",
        minimum=3,
        maximum=10**3,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionalTrainingConfig(ImageTrainingConfig):
    """Training an image classifier of derived cells."""

    space: str = again(ImageTrainingConfig, "space", "convolutional")
    network: str = setting(
        "cifar",
        "The network begins with one convolution (cifar), or with three that halve the resolution"
        " (imagenet).",
        choices=("cifar", "imagenet"),
    )
    channels: int = setting(
        36,
        "The nodes of the first cell have this many channels.",
        unit="channels",
        minimum=1,
        maximum=2**14,
    )
    layers: int = setting(
        20,
        "The network has this many cells, two of which are reduction cells.",
        unit="cells",
        minimum=3,
        maximum=10**3,
    )
    auxiliary_weight: float = setting(
        0.4,
        "The loss of the auxiliary head counts with this weight; with 0 there is no such head.",
        minimum=0.0,
        maximum=1e3,
    )
    drop_path: float = rate(
        0.2, "The paths in the cells are dropped at this rate in the end; the rate rises from 0."
    )
    label_smoothing: float = rate(0.0, "The target spreads this share of itself over all classes.")

    @property
    def why_no_more_epochs(self) -> str:
        why = super().why_no_more_epochs
        if self.drop_path and not why:
            return "its rate of dropped paths rises over exactly the epochs that it began with"
        return why

    def for_inference(self) -> Self:
        return dataclasses.replace(self, auxiliary_weight=0.0, drop_path=0.0)
