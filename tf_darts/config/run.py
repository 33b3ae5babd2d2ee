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
_WORKER_TIMEOUT = 600  # seconds
PRECISIONS = ("float32", "float64", "mixed_bfloat16", "mixed_float16")
PRECISION_HELP = (
    "The arithmetic has this precision; with a mixed one, variables and losses are float32, and"
    " large products and the activations of image networks have 16 bits."
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

    mode: str = setting("", "The mode says what the program does.", group="run")
    dataset: str = setting("ptb", "The run learns from this data set.", group="run")
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
    precision: str = setting("float32", PRECISION_HELP, group="devices", choices=PRECISIONS)
    accelerate: str = setting(
        "auto",
        "The layers are computed by the fast forms that apply (auto), or as their equations say"
        " (off), which is slower and the same within rounding; see docs/performance.md.",
        group="devices",
        choices=ACCELERATIONS,
    )
    xla: str = setting(
        "auto",
        "Each derivative is one program of the compiler XLA (step), which takes long to compile and"
        " draws other dropout masks, or TensorFlow's kernels compute it (off, as by auto until it"
        " has been measured on GPUs).",
        group="devices",
        choices=("auto", "off", "step"),
        legacy="auto",
    )
    distribution: str = setting(
        "auto",
        "A step is computed on one_device, as by auto; on all GPUs of this machine, each with its"
        " share of the batch (mirrored); or on several machines (multi_worker, see"
        " docs/scaling.md).",
        group="devices",
        choices=("auto", "one_device", "mirrored", "multi_worker"),
    )
    replica_norms: str = setting(
        "joint",
        "Of several replicas, batch norms take their moments over all (joint), as one device would,"
        " or each over its own share of a batch (own), which spares two sums over the replicas for"
        " each norm.",
        group="devices",
        choices=("joint", "own"),
        legacy="joint",
    )
    global_batch: str = setting(
        "exact",
        "A batch that cannot be cut into equal parts for the replicas and micro-batches is refused"
        " (exact), or the nearest that can is taken in its place (round), which the run says and"
        " records.",
        group="devices",
        choices=("exact", "round"),
        operational=True,
    )
    micro_batches: int = setting(
        1,
        "A batch is taken in this many parts, one after another, which needs less memory; batch"
        " norms then see one part at a time.",
        group="devices",
        unit="parts",
        minimum=1,
        maximum=2**12,
    )
    rematerialize: bool = setting(
        False,
        "The backward pass computes cells (recurrent ones: chunks of time steps) again in place of"
        " keeping what is in them, which needs less memory, takes more time and gives the same"
        " numbers.",
        group="devices",
        operational=True,
    )
    cpu_replicas: int = setting(
        0,
        "The processor acts as this many devices, on which --distribution=mirrored can be tried"
        " without GPUs; 0 leaves it one.",
        group="devices",
        unit="devices",
        minimum=0,
        maximum=64,
        operational=True,
    )
    worker_timeout: int = setting(
        _WORKER_TIMEOUT,
        "A worker of --distribution=multi_worker that waits this long for another to start gives up"
        " and says for which.",
        group="devices",
        unit="seconds",
        minimum=1,
        maximum=10**6,
        operational=True,
    )
    check_replicas: bool = setting(
        False,
        "The weights and gradients of all replicas are compared at every step, bit by bit.",
        group="devices",
        operational=True,
    )
    deterministic: bool = setting(
        False,
        "The operations are deterministic, so that a repetition is bit-identical; this is a little"
        " slower.",
        group="devices",
        operational=True,
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

    @property
    def _cuts_batches(self) -> bool:
        return self.micro_batches > 1 or self.distribution in ("mirrored", "multi_worker")

    def check_devices(self) -> None:
        """Raises `UserError` where a setting of several devices is given to one."""
        if self.cpu_replicas and self.distribution != "mirrored":
            raise UserError(
                f"--cpu_replicas={self.cpu_replicas} has no meaning for"
                f" --distribution={self.distribution}; add --distribution=mirrored, or leave it"
                " out."
            )
        if self.replica_norms != "joint" and self.distribution in ("auto", "one_device"):
            raise UserError(
                f"--replica_norms={self.replica_norms} has no meaning for"
                f" --distribution={self.distribution}, where there is one replica; add"
                " --distribution=mirrored, or leave it out."
            )
        if self.worker_timeout != _WORKER_TIMEOUT and self.distribution != "multi_worker":
            raise UserError(
                f"--worker_timeout={self.worker_timeout} has no meaning for"
                f" --distribution={self.distribution}, which has one worker; add"
                " --distribution=multi_worker, or leave it out."
            )
        if self.global_batch != "exact" and not self._cuts_batches:
            raise UserError(
                f"--global_batch={self.global_batch} has no meaning for"
                f" --distribution={self.distribution} and --micro_batches=1, where a batch is not"
                " cut; add --distribution=mirrored, or leave it out."
            )
        if self.xla == "step" and self.distribution in ("mirrored", "multi_worker"):
            raise UserError(
                f"--xla=step cannot sum over the replicas of --distribution={self.distribution};"
                " use --xla=off or --distribution=one_device."
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
