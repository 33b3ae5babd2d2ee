"""The settings of searches and trainings of recurrent cells (docs/method.md section 5)."""

import dataclasses
from typing import Self

from tf_darts.config.search import TextSearchConfig
from tf_darts.config.setting import again, rate, setting
from tf_darts.config.training import TextTrainingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentSearchConfig(TextSearchConfig):
    """The search for recurrent cells on text, as on Penn Treebank."""

    space: str = again(TextSearchConfig, "space", "recurrent")
    units: int = setting(300, "width of embedding and hidden state", minimum=1, maximum=2**16)
    embedding_dropout: float = rate(0.0, "whole rows (words) of the embedding")
    input_dropout: float = rate(0.2, "the embedded words")
    cell_input_dropout: float = rate(0.75, "x inside the cell")
    hidden_dropout: float = rate(0.25, "the states inside the cell")
    output_dropout: float = rate(0.75, "the cell's outputs")
    temporal_activation_penalty: float = setting(
        1e-3, "weight of mean (h_t - h_t-1)^2 in w's loss", minimum=0.0, maximum=1e6
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentTrainingConfig(TextTrainingConfig):
    """Training a language model with a derived cell."""

    space: str = again(TextTrainingConfig, "space", "recurrent")
    units: int = setting(850, "width of embedding and hidden state", minimum=1, maximum=2**16)
    embedding_dropout: float = rate(0.1, "whole rows (words) of the embedding")
    input_dropout: float = rate(0.2, "the embedded words")
    cell_input_dropout: float = rate(0.75, "x inside the cell")
    hidden_dropout: float = rate(0.25, "the states inside the cell")
    output_dropout: float = rate(0.75, "the cell's outputs")
    temporal_activation_penalty: float = setting(
        1e-3, "weight of mean (h_t - h_t-1)^2 in the loss", minimum=0.0, maximum=1e6
    )
    activation_penalty: float = setting(
        0.0, "weight of mean h_t^2, after output dropout, in the loss", minimum=0.0, maximum=1e6
    )

    def for_inference(self) -> Self:
        names = (name for name in self.__dataclass_fields__ if name.endswith("_dropout"))
        return dataclasses.replace(self, **dict.fromkeys(names, 0.0))
