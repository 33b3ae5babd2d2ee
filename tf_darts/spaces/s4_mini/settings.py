"""The settings of searches and trainings in the space `s4_mini`: a search takes minutes."""

import dataclasses

from tf_darts.config.data_searches import ImageSearchConfig
from tf_darts.config.setting import again, setting
from tf_darts.config.training import ImageTrainingConfig


def _channels() -> int:
    return setting(
        8,
        "The nodes of the cells have this many channels.",
        unit="channels",
        minimum=1,
        maximum=2**14,
    )


def _layers() -> int:
    return setting(
        2,
        "The network has this many cells, one after another.",
        unit="cells",
        minimum=1,
        maximum=10**3,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class S4MiniSearchConfig(ImageSearchConfig):
    """The search that tells convolutions from noise."""

    space: str = again(ImageSearchConfig, "space", "s4_mini")
    epochs: int = again(ImageSearchConfig, "epochs", 10)
    alpha_learning_rate: float = again(ImageSearchConfig, "alpha_learning_rate", 3e-3)
    channels: int = _channels()
    layers: int = _layers()


@dataclasses.dataclass(frozen=True, kw_only=True)
class S4MiniTrainingConfig(ImageTrainingConfig):
    """Training a network of the found cell."""

    space: str = again(ImageTrainingConfig, "space", "s4_mini")
    epochs: int = again(ImageTrainingConfig, "epochs", 20)
    cutout: int = again(ImageTrainingConfig, "cutout", 0)
    channels: int = _channels()
    layers: int = _layers()
