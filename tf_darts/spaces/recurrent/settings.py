"""The settings of searches and trainings of recurrent cells (docs/method.md section 5)."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from tf_darts.config.data_searches import TextSearchConfig
from tf_darts.config.setting import again, rate, setting
from tf_darts.config.training import TextTrainingConfig
from tf_darts.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentSearchConfig(TextSearchConfig):
    """The search for recurrent cells on text, as on Penn Treebank."""

    space: str = again(TextSearchConfig, "space", "recurrent")
    units: int = setting(
        300,
        "The embedding and the hidden state have this many units.",
        unit="units",
        minimum=1,
        maximum=2**16,
    )
    embedding_dropout: float = rate(0.0, "The embedding loses whole rows (words) at this rate.")
    input_dropout: float = rate(0.2, "The embedded words are dropped at this rate.")
    cell_input_dropout: float = rate(0.75, "The input x inside the cell is dropped at this rate.")
    hidden_dropout: float = rate(0.25, "The states inside the cell are dropped at this rate.")
    output_dropout: float = rate(0.75, "The outputs of the cell are dropped at this rate.")
    temporal_activation_penalty: float = setting(
        1e-3,
        "The mean of (h_t - h_t-1)^2 counts with this weight in the loss of the weights.",
        minimum=0.0,
        maximum=1e6,
    )

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        if self.batch_size // self.micro_batches < 2:
            raise UserError(
                f"--batch_size={self.batch_size} in --micro_batches={self.micro_batches}: the cell"
                " normalises over the sequences of each, and of one alone nothing is left; give two"
                " sequences or more for each."
            )
        return super().validated(overrides, preset)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentTrainingConfig(TextTrainingConfig):
    """Training a language model with a derived cell."""

    space: str = again(TextTrainingConfig, "space", "recurrent")
    units: int = setting(
        850,
        "The embedding and the hidden state have this many units.",
        unit="units",
        minimum=1,
        maximum=2**16,
    )
    embedding_dropout: float = rate(0.1, "The embedding loses whole rows (words) at this rate.")
    input_dropout: float = rate(0.2, "The embedded words are dropped at this rate.")
    cell_input_dropout: float = rate(0.75, "The input x inside the cell is dropped at this rate.")
    hidden_dropout: float = rate(0.25, "The states inside the cell are dropped at this rate.")
    output_dropout: float = rate(0.75, "The outputs of the cell are dropped at this rate.")
    temporal_activation_penalty: float = setting(
        1e-3,
        "The mean of (h_t - h_t-1)^2 counts with this weight in the loss of the weights.",
        minimum=0.0,
        maximum=1e6,
    )
    activation_penalty: float = setting(
        0.0,
        "The mean of h_t^2, after the output dropout, counts with this weight in the loss.",
        minimum=0.0,
        maximum=1e6,
    )

    def for_inference(self) -> Self:
        names = (name for name in self.__dataclass_fields__ if name.endswith("_dropout"))
        return dataclasses.replace(self, **dict.fromkeys(names, 0.0))
