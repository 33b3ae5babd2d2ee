"""On what a run computes, and how: devices, replicas, precision, and the forms of its programs."""

import dataclasses

from tf_darts.config.setting import setting
from tf_darts.errors import UserError

ACCELERATIONS = ("auto", "off")
_WORKER_TIMEOUT = 600  # seconds
PRECISIONS = ("float32", "float64", "mixed_bfloat16", "mixed_float16")
PRECISION_HELP = (
    "The arithmetic has this precision; with a mixed one, variables and losses are float32, and"
    " large products and the activations of image networks have 16 bits."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """Settings of the devices that a run computes on; they change its numbers by rounding alone.

    Dropout masks are others with `xla=step`, and so are batch norms with `replica_norms=own`.
    """

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
        "A worker of --distribution=multi_worker that waits this long for another, to start or to"
        " come to a sum of all, gives up and says for which.",
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
    graph_cache: str = setting(
        "",
        "The traced graphs of derivatives and the memory that was counted are kept in this"
        " directory, where the next run of the same configuration and seed begins sooner; empty:"
        " nothing is kept.",
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
        if self.check_replicas and self.distribution in ("auto", "one_device"):
            raise UserError(
                f"--check_replicas has no meaning for --distribution={self.distribution}, where"
                " there is nothing to compare; leave it out, or add --distribution=mirrored."
            )
