"""The settings of searches and trainings in the space of NAS-Bench-201.

The values are those behind the benchmark's tables: of its searches on CIFAR-10 (first order, w
before α), and of the 200 epochs that every one of its cells was trained for.
"""

import dataclasses

from tf_darts.config.data_searches import ImageSearchConfig
from tf_darts.config.setting import again, setting
from tf_darts.config.training import ImageTrainingConfig


def _channels() -> int:
    return setting(
        16,
        "The nodes of the first cell have this many channels.",
        unit="channels",
        minimum=1,
        maximum=2**14,
    )


def _cells_per_stage() -> int:
    return setting(
        5,
        "Each of the three resolutions has this many cells.",
        unit="cells",
        minimum=1,
        maximum=10**3,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class NasBench201SearchConfig(ImageSearchConfig):
    """The search for the cell of NAS-Bench-201."""

    space: str = again(ImageSearchConfig, "space", "nasbench201")
    method: str = again(ImageSearchConfig, "method", "darts_first")
    step_order: str = again(ImageSearchConfig, "step_order", "weights_first")
    nesterov: bool = again(ImageSearchConfig, "nesterov", True)
    weight_decay: float = again(ImageSearchConfig, "weight_decay", 5e-4)
    channels: int = _channels()
    cells_per_stage: int = _cells_per_stage()


@dataclasses.dataclass(frozen=True, kw_only=True)
class NasBench201TrainingConfig(ImageTrainingConfig):
    """Training a network of one cell of NAS-Bench-201."""

    space: str = again(ImageTrainingConfig, "space", "nasbench201")
    epochs: int = again(ImageTrainingConfig, "epochs", 200)
    batch_size: int = again(ImageTrainingConfig, "batch_size", 256)
    learning_rate: float = again(ImageTrainingConfig, "learning_rate", 0.1)
    schedule: str = again(ImageTrainingConfig, "schedule", "cosine_by_step")
    nesterov: bool = again(ImageTrainingConfig, "nesterov", True)
    weight_decay: float = again(ImageTrainingConfig, "weight_decay", 5e-4)
    clip_norm: float = again(ImageTrainingConfig, "clip_norm", 0.0)
    cutout: int = again(ImageTrainingConfig, "cutout", 0)
    channels: int = _channels()
    cells_per_stage: int = _cells_per_stage()
