"""What the settings of searches and trainings share."""

import abc
import dataclasses
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.cells.space import find_space
from tf_darts.config.devices import DeviceSettings
from tf_darts.config.setting import MOST_STEPS, setting
from tf_darts.errors import UserError
from tf_darts.runtime.files import is_directory


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig(DeviceSettings, abc.ABC):
    """Settings of a run that goes through epochs of a data set and lives in a directory.

    Attributes:
      purpose: what it is for, in messages.
      prefers_inter_op_threads: whether its networks are made of such, see `runtime.threads`.
    """

    purpose: ClassVar[str]
    prefers_inter_op_threads: ClassVar[bool] = False

    mode: str = setting("", "The mode says what the program does.", group="run")
    dataset: str = setting(
        "ptb",
        "The run learns from this data set; image sets of TensorFlow Datasets go by their names"
        " too.",
        group="run",
    )
    space: str = setting(
        "",
        "The cells are of this space; where none is named, it is the usual one of the data, or for"
        " a training that of its cell.",
        group="run",
    )
    data_dir: str = setting(
        "",
        "The data lie in this directory; where none is given, they are looked for in the usual"
        " place.",
        group="data",
        operational=True,
    )
    run_dir: str = setting(
        "",
        "The run lives in this directory, and goes on there when it is started again; where none"
        " is given, the directory is one under runs/.",
        group="run",
        operational=True,
    )
    seed: int = setting(
        0,
        "Every random draw of the run follows from this seed.",
        group="run",
        minimum=0,
        maximum=2**63 - 1,
    )
    epochs: int = setting(
        50,
        "The run goes through its training data this many times.",
        group="learning",
        unit="epochs",
        minimum=1,
        maximum=10**6,
    )
    steps_per_epoch: int = setting(
        0,
        "An epoch ends after this many steps; with 0 it goes through all of its data.",
        group="learning",
        unit="steps",
        minimum=0,
        maximum=MOST_STEPS,
    )
    batch_size: int = setting(
        256,
        "A step takes this many training examples, and in a search as many validation examples.",
        group="learning",
        unit="examples",
        minimum=2,
        maximum=2**20,
    )
    evaluation_batch_size: int = setting(
        10,
        "The evaluation takes this many examples at a time.",
        group="learning",
        unit="examples",
        minimum=1,
        maximum=2**20,
    )
    momentum: float = setting(
        0.0, "The weights' SGD has this momentum.", group="learning", minimum=0.0, below=1.0
    )
    nesterov: bool = setting(
        False, "The momentum of the weights is Nesterov's.", group="learning", legacy=False
    )
    weight_decay: float = setting(
        5e-7,
        "The weights, times this factor, are added to their gradient.",
        group="learning",
        minimum=0.0,
        maximum=1e3,
    )
    clip_norm: float = setting(
        0.25,
        "The weights' gradient is scaled down to this global norm where it is larger; 0 leaves it"
        " as it is.",
        group="learning",
        minimum=0.0,
        maximum=1e30,
    )
    checkpoint_steps: int = setting(
        50,
        "A checkpoint is saved after this many steps, and at every epoch's end besides.",
        group="state",
        unit="steps",
        minimum=1,
        maximum=MOST_STEPS,
        operational=True,
    )
    max_rollbacks: int = setting(
        0,
        "A run that diverges goes back this many times: a search to its last epoch's end, a"
        " training to its best epoch.",
        group="state",
        unit="times",
        minimum=0,
        maximum=10**6,
        operational=True,
    )

    def recorded(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that decide what the run computes, as its `config.json` has them."""
        return dict(settings)

    @abc.abstractmethod
    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        """The configuration with what follows from its values, checked as a whole.

        Args:
          overrides: the settings that the user gave.
          preset: the data set's own configuration.

        Raises:
          UserError: values that do not go together.
        """

    @property
    def usual_space(self) -> bool:
        """Whether the space is the one that its kind of data takes where none is named."""
        return not self.space or find_space(self.space).default

    def check_momentum(self, overrides: Mapping[str, Any]) -> None:
        """Raises `UserError` where a kind of momentum is asked for and there is none."""
        if self.nesterov and not self.momentum and overrides.get("nesterov"):
            raise UserError(
                "--nesterov has no meaning for --momentum=0; add --momentum=N, or leave it out."
            )

    def check_falling(self, first: str, last: str) -> None:
        """Raises `UserError` where the last learning rate is above the first."""
        if getattr(self, last) > getattr(self, first):
            raise UserError(
                f"--{last}={getattr(self, last):g} is above --{first}={getattr(self, first):g}; a"
                f" schedule falls, so give --{last}=N of at most {getattr(self, first):g}."
            )

    def with_run_dir(self, kind: str, old_kind: str = "") -> Self:
        """The configuration with a run directory: one that tells runs apart where none is given.

        Args:
          kind: what tells runs of one mode and data set apart.
          old_kind: what older versions called it; a run that is there goes on there.
        """
        if self.run_dir:
            return self
        name = re.sub(r"[/:]", "_", self.dataset)
        if getattr(self, "operations", ""):
            operations = re.sub(r"[^\w]+", "_", self.operations)[:60]
            kind, old_kind = f"{operations}_{kind}", ""
        if not self.usual_space:
            name = f"{name}_{self.space}"
        directory, old = (
            f"runs/{self.mode}_{name}_{k}_seed{self.seed}" for k in (kind, old_kind or kind)
        )
        return dataclasses.replace(self, run_dir=old if is_directory(old) else directory)
