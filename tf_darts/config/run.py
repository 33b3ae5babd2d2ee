"""What the settings of searches and trainings share."""

import abc
import dataclasses
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.cells.space import find_space
from tf_darts.config.setting import MOST_STEPS, setting
from tf_darts.errors import UserError
from tf_darts.runtime.files import is_directory

ACCELERATIONS = ("auto", "off")
PRECISIONS = ("float32", "float64", "mixed_bfloat16", "mixed_float16")
PRECISION_HELP = (
    "of the arithmetic; mixed: variables and losses float32, large products and the activations of"
    " image networks in 16 bits"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig(abc.ABC):
    """Settings of a run that goes through epochs of a data set and lives in a directory.

    Attributes:
      purpose: what it is for, in messages.
      prefers_inter_op_threads: whether its networks are made of such, see `runtime.threads`.
    """

    purpose: ClassVar[str]
    prefers_inter_op_threads: ClassVar[bool] = False

    mode: str = setting("", "what to do")
    dataset: str = setting("ptb", "what to learn from")
    space: str = setting(
        "",
        "what the cells are of: recurrent, convolutional, nasbench201, planted, s4_mini, or one's"
        " own (empty: the usual one of the data; of a training, the cell's)",
    )
    data_dir: str = setting("", "where the data are (empty: the usual place)", operational=True)
    run_dir: str = setting("", "where the run lives (empty: under runs/)", operational=True)
    seed: int = setting(0, "of every random draw of the run", minimum=0, maximum=2**63 - 1)
    epochs: int = setting(50, "passes over the training data", minimum=1, maximum=10**6)
    steps_per_epoch: int = setting(
        0, "shortens an epoch (0: all of it)", minimum=0, maximum=MOST_STEPS
    )
    batch_size: int = setting(
        256, "examples of a training and of a validation batch", minimum=2, maximum=2**20
    )
    evaluation_batch_size: int = setting(
        10, "examples of a batch in evaluation", minimum=1, maximum=2**20
    )
    momentum: float = setting(0.0, "of the weights' SGD", minimum=0.0, below=1.0)
    nesterov: bool = setting(False, "the weights' momentum is Nesterov's", legacy=False)
    weight_decay: float = setting(
        5e-7, "of the weights, added to the gradient", minimum=0.0, maximum=1e3
    )
    clip_norm: float = setting(
        0.25, "largest global norm of the weights' gradient (0: none)", minimum=0.0, maximum=1e30
    )
    precision: str = setting("float32", PRECISION_HELP, choices=PRECISIONS)
    accelerate: str = setting(
        "auto",
        "off: every layer computes what its equation says, as it says it, which is slower and the"
        " same within rounding; auto: by the fast forms that apply (docs/performance.md)",
        choices=ACCELERATIONS,
    )
    distribution: str = setting(
        "auto",
        "where a step is computed: one_device; mirrored, on all GPUs of this machine, each with its"
        " share of the batch; multi_worker, on several machines (see docs/scaling.md); auto,"
        " mirrored where there are several GPUs",
        choices=("auto", "one_device", "mirrored", "multi_worker"),
    )
    micro_batches: int = setting(
        1,
        "takes a batch in so many parts, one after another, where memory is short (batch norms see"
        " one part)",
        minimum=1,
        maximum=2**12,
    )
    rematerialize: bool = setting(
        False,
        "computes cells (recurrent ones: chunks of time steps) again in the backward pass in place"
        " of keeping what is in them: less memory, more time, the same numbers",
        operational=True,
    )
    cpu_replicas: int = setting(
        0,
        "devices to make of the CPU, to try --distribution=mirrored without GPUs",
        minimum=0,
        maximum=64,
        operational=True,
    )
    check_replicas: bool = setting(
        False,
        "compares weights and gradients of all replicas, bit by bit, at every step",
        operational=True,
    )
    deterministic: bool = setting(
        False, "op determinism: bit-identical repetition, a little slower", operational=True
    )
    checkpoint_steps: int = setting(
        50,
        "steps between checkpoints, besides one at every epoch's end",
        minimum=1,
        maximum=MOST_STEPS,
        operational=True,
    )
    max_rollbacks: int = setting(
        0,
        "how often a diverged run goes back: a search to its last epoch's end, a training to its"
        " best",
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

    def check_devices(self) -> None:
        """Raises `UserError` where a setting of several devices is given to one."""
        if self.cpu_replicas and self.distribution != "mirrored":
            raise UserError(
                f"--cpu_replicas={self.cpu_replicas} has no meaning for"
                f" --distribution={self.distribution}; add --distribution=mirrored, or leave it"
                " out."
            )
        if self.check_replicas and self.distribution == "one_device":
            raise UserError(
                "--check_replicas has no meaning for --distribution=one_device, where there is"
                " nothing to compare; leave it out."
            )

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
