"""What a run computes on: said in a line, and set before TensorFlow takes it."""

import contextlib
import os
import re
import shutil
import subprocess
import zlib
from typing import Any

import tensorflow as tf

from tf_darts.runtime.console import say

_COMPUTING = "search", "train", "select", "black_box", "tune", "test"  # modes that take long


def say_device(config: Any) -> None:
    """Says on what a mode computes that takes long; of the others nothing.

    Args:
      config: of the mode.
    """
    if config.mode in _COMPUTING:
        names = "distribution", "cpu_replicas"
        say(device_line(*(getattr(config, name) for name in names if hasattr(config, name))))


def device_line(distribution: str = "auto", cpu_replicas: int = 0) -> str:
    """On what a process computes, and with several GPUs what else could be.

    Args:
      distribution: one of `distribution.DISTRIBUTIONS`.
      cpu_replicas: the devices that are made of the CPU; 0 leaves it one.
    """
    gpus = tf.config.list_physical_devices("GPU")
    worker = ", as one of several workers" if distribution == "multi_worker" else ""
    if not gpus:
        count = cores()
        parts = f", in {cpu_replicas} replicas" if cpu_replicas > 1 else ""
        return f"It computes on the CPU, {count} core{'s' * (count != 1)}{parts}{worker}."
    name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "of unknown make")
    if len(gpus) == 1:
        return f"It computes on the GPU, {name}{worker}."
    if distribution in ("mirrored", "multi_worker"):
        return f"It computes on {len(gpus)} GPUs, the first of them {name}{worker}."
    return (
        f"It computes on one of {len(gpus)} GPUs, {name}; --distribution=mirrored takes all of them"
        " for one run, and CUDA_VISIBLE_DEVICES=N gives each of several runs its own."
    )


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def take_own_gpu(process: str) -> None:
    """Leaves this process one of several GPUs, by its name: `worker3` takes the fourth.

    It does nothing where there is one or none, or where TensorFlow has begun already.

    Args:
      process: its name among those that share the machine.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) < 2:
        return
    number = re.search(r"\d+$", process)
    place = int(number[0]) if number else zlib.crc32(process.encode())
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([gpus[place % len(gpus)]], "GPU")


def gpu_memory() -> int | None:
    """Bytes that are free on the GPU with the fewest; None where none is, or it is not known.

    The driver's own program says it: TensorFlow has no public way to ask.
    """
    program = shutil.which("nvidia-smi")
    if program is None or not tf.config.list_physical_devices("GPU"):
        return None
    command = [program, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        command.append(f"--id={visible}")
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return min(int(line) for line in said.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
