"""Which devices a run computes on."""

import functools
import json
import os
import signal
import threading

import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.runtime.replicas import Replicas
from tf_darts.runtime.workers import meet

DISTRIBUTIONS = ("auto", "one_device", "mirrored", "multi_worker")


def open_replicas(
    distribution: str,
    cpu_replicas: int = 0,
    micro_batches: int = 1,
    checks: bool = False,
    *,
    joint_norms: bool = True,
    worker_timeout: float = 600.0,
) -> Replicas:
    """The replicas that a setting asks for.

    Args:
      distribution: one of `DISTRIBUTIONS`. "auto" is one device: of several GPUs the first.
      cpu_replicas: makes so many devices of the CPU, and replicas on them where there is no GPU; 0
        leaves it one.
      micro_batches: see `Replicas`.
      checks: see `Replicas`.
      joint_norms: see `Replicas`.
      worker_timeout: how many seconds a worker waits for another to start, or to come to a sum.

    Raises:
      UserError: the devices or workers are not there.
    """
    strategy = _strategy(distribution, cpu_replicas, worker_timeout)
    return Replicas(strategy, micro_batches, checks, joint_norms, worker_timeout)


@functools.cache  # a process has one cluster, and its devices are made once
def _strategy(
    distribution: str, cpu_replicas: int, worker_timeout: float
) -> tf.distribute.Strategy | None:
    if distribution == "multi_worker":
        return _multi_worker(worker_timeout)
    gpus = tf.config.list_physical_devices("GPU")  # asking for logical ones would make them
    if distribution == "mirrored":
        several = len(gpus) > 1
        devices = tf.config.list_logical_devices("GPU") if several else _cpus(cpu_replicas)
        if len(devices) < 2:
            found = "is one GPU" if gpus else "is no GPU"
            raise UserError(
                f"--distribution=mirrored: needs two devices or more, and there {found};"
                " use --distribution=one_device, or --cpu_replicas=2 to try it on the CPU."
            )
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return None


def _cpus(count: int) -> list[tf.config.LogicalDevice]:
    """`count` devices made of the CPU, if it has not been used yet; or those that there are."""
    if count:
        physical = tf.config.list_physical_devices("CPU")[0]
        try:
            tf.config.set_logical_device_configuration(
                physical, [tf.config.LogicalDeviceConfiguration()] * count
            )
        except RuntimeError as error:
            if len(tf.config.list_logical_devices("CPU")) != count:
                raise UserError(
                    f"--cpu_replicas={count}: TensorFlow has been used in this process already;"
                    " make the devices before."
                ) from error
    return tf.config.list_logical_devices("CPU")


def _multi_worker(timeout: float) -> tf.distribute.Strategy:
    text = os.environ.get("TF_CONFIG", "")
    example = (
        '{"cluster": {"worker": ["HOST0:PORT", "HOST1:PORT"]}, "task": {"type": "worker",'
        ' "index": 0}}'
    )
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        if task["type"] != "worker" or not 0 <= int(task["index"]) < len(workers):
            raise ValueError
        if config["cluster"].keys() != {"worker"}:  # TensorFlow would wait for the others for ever
            raise ValueError
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            "--distribution=multi_worker: the environment variable TF_CONFIG must say which workers"
            " there are and which this one is, with no jobs but workers, as in"
            f" TF_CONFIG='{example}'; the worker of index 0 is the chief."
        ) from error
    meet(workers, int(task["index"]), timeout)
    before = signal.getsignal(signal.SIGTERM)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    if threading.current_thread() is threading.main_thread():
        # TensorFlow's cluster takes SIGTERM for itself; the run's own way to stop needs it.
        signal.signal(signal.SIGTERM, before)
    return strategy
