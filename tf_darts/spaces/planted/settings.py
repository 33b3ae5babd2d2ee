"""The settings of searches and trainings in the space `planted`: a search takes a minute or two."""

import dataclasses

from tf_darts.config.data_searches import ImageSearchConfig
from tf_darts.config.setting import again, setting
from tf_darts.config.training import ImageTrainingConfig


def _channels() -> int:
    return setting(
        8,
        "Each operation makes this many channels of a field.",
        unit="channels",
        minimum=1,
        maximum=2**14,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlantedSearchConfig(ImageSearchConfig):
    """The search for the planted operations."""

    space: str = again(ImageSearchConfig, "space", "planted")
    epochs: int = again(ImageSearchConfig, "epochs", 5)
    weight_learning_rate: float = again(ImageSearchConfig, "weight_learning_rate", 0.1)
    alpha_learning_rate: float = again(ImageSearchConfig, "alpha_learning_rate", 3e-3)
    channels: int = _channels()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlantedTrainingConfig(ImageTrainingConfig):
    """Training a network of six chosen operations."""

    space: str = again(ImageTrainingConfig, "space", "planted")
    epochs: int = again(ImageTrainingConfig, "epochs", 20)
    cutout: int = again(ImageTrainingConfig, "cutout", 0)
    channels: int = _channels()
