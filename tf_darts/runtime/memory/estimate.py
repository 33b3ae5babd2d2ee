"""How much memory a run will need, how much there is, and what to do where it is too little."""

import dataclasses
import pathlib
import resource
import sys
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime.console import say
from tf_darts.runtime.devices import gpu_memory
from tf_darts.runtime.memory.traced import TracedMemory, size_in_bytes

# Chosen on measured processes (docs/performance.md): what TensorFlow
# takes when it first computes something (threads, buffers of oneDNN and XLA), and what each
# operation of a compiled graph takes in it, with what its optimisation leaves behind.
STARTING = 150_000_000
OPERATION = 22_000
# What lies between the tensors in the allocator's hands, as a share of them.
GAPS = 0.08
# Of the measured processes one took this many times what was foreseen, the others less.
OFF_BY_AT_MOST = 1.27
PROC = pathlib.Path("/proc")
CGROUP = pathlib.Path("/sys/fs/cgroup")


@dataclasses.dataclass(frozen=True)
class MemoryEstimate:
    """What a run takes, by where it comes from; all in bytes.

    Attributes:
      process: what the process has now: libraries, data, variables.
      compiling: what the compiled graphs take.
      vectors: all of w, and what is as large, as often as they are alive at once.
      tensors: what the backward pass keeps and makes, at its peak.
    """

    process: int
    compiling: int
    vectors: int
    tensors: int

    @property
    def total(self) -> int:
        """All of it: the largest resident size of the process."""
        return self.process + self.compiling + round((1.0 + GAPS) * self.on_device)

    @property
    def on_device(self) -> int:
        """What lies in a GPU's memory, where there is one."""
        return self.vectors + self.tensors


def estimate(gradient: TracedMemory, vectors: int, graphs: int = 1) -> MemoryEstimate:
    """What a run takes of which only its first step is yet to be taken.

    Args:
      gradient: the hungriest one, traced.
      vectors: bytes of all vectors of the size of w that are alive at once beside the variables
        that are there already.
      graphs: how many gradients are compiled.
    """
    compiling = STARTING + OPERATION * graphs * gradient.operations
    return MemoryEstimate(resident(), compiling, vectors, gradient.peak)


def bytes_of(variables: Iterable[keras.Variable]) -> int:
    """Of all of them together."""
    return sum(size_in_bytes(variable) for variable in variables)


def sized(signature: Any, axis: int, examples: int, longest: int = 1) -> Any:
    """The `tf.TensorSpec`s of a batch of known size.

    Args:
      signature: with None where sizes vary.
      axis: along which the examples stand.
      examples: how many.
      longest: what other axes of no known size have at most.
    """

    def sized_spec(spec: tf.TensorSpec) -> tf.TensorSpec:
        unknown = [examples if i == axis else longest for i in range(spec.shape.rank)]
        pairs = zip(spec.shape, unknown, strict=True)
        return tf.TensorSpec([u if size is None else size for size, u in pairs], spec.dtype)

    return tf.nest.map_structure(sized_spec, signature)


def resident() -> int:
    """Bytes that this process has in memory now; where the system does not say, had at most."""
    statm = PROC / "self" / "statm"
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return peak_resident()


def peak_resident() -> int:
    """The most bytes that this process ever had in memory."""
    status = PROC / "self" / "status"
    if status.exists():
        # Not getrusage's: on Linux that counts what the parent had when it started the process.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    # Kilobytes on Linux, bytes on macOS.
    factor = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * factor


def available() -> int | None:
    """Bytes that are free for this process, with what it has already; None: not known.

    Of the machine, or of the container where that allows less.
    """
    meminfo = PROC / "meminfo"
    if not meminfo.exists():
        return None
    values = dict(line.split(":") for line in meminfo.read_text().splitlines())
    free = int(values["MemAvailable"].split()[0]) * 1024
    limits = []
    for limit, used in (("memory.max", "memory.current"), _VERSION_1):
        try:
            room = int((CGROUP / limit).read_text()) - int((CGROUP / used).read_text())
        except (OSError, ValueError):  # there is none: no such file, or "max"
            continue
        limits.append(max(room, 0))
    return min([free, *limits]) + resident()


_VERSION_1 = ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")


def announce(need: MemoryEstimate, advice: str, label: str = "") -> None:
    """Says how much memory a run will need and how much there is, and where that is less or close.

    Args:
      need: of the run.
      advice: what to do about it, as half a sentence.
      label: what the line begins with.
    """
    on_gpu = gpu_memory()
    needed, free = (need.total, available()) if on_gpu is None else (need.on_device, on_gpu)
    place = "this machine has" if on_gpu is None else "the GPU has"
    room = "" if free is None else f"; {place} {in_gigabytes(free)} for it"
    say(f"{label}It will need about {in_gigabytes(needed)} of memory{room}.")
    if free is not None and needed > free:
        say(f"{label}WARNING: that is too much, and the run may be killed for it; {advice}.")
    elif free is not None and OFF_BY_AT_MOST * needed > free:
        say(
            f"{label}That is close, since it may take up to {OFF_BY_AT_MOST - 1:.0%} more than is"
            f" foreseen; should it be killed for that, {advice}."
        )


def advice(batch_size: int, micro_batches: int, rematerialize: bool | None) -> str:
    """What takes less memory, as half a sentence.

    Args:
      batch_size: as set.
      micro_batches: as set.
      rematerialize: as set; None where it would not help.
    """
    options = []
    if rematerialize is False:
        options.append("--rematerialize, which changes no result")
    if batch_size % (2 * micro_batches) == 0 and batch_size > 2 * micro_batches:
        options.append(f"--micro_batches={2 * micro_batches}")
    options.append(f"--batch_size={max(batch_size // 2, 2)}")
    return f"try {', or '.join(options)}"


def in_gigabytes(size: int) -> str:
    """As people read it: "3.6 GB"."""
    return f"{size / 1e9:.1f} GB"
