"""How a run begins: its arithmetic, devices, memory, directory and data."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import keras
import tensorflow as tf

from tf_darts.config.presets import computed_settings, legacy_settings
from tf_darts.config.recorded import about
from tf_darts.config.search import SearchConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import StateError
from tf_darts.runs.data_record import Data, check_data, data_flag, record_data
from tf_darts.runtime import files, graph_store
from tf_darts.runtime.console import say
from tf_darts.runtime.distribution import open_replicas
from tf_darts.runtime.extension import Extendable, check_settings
from tf_darts.runtime.lean_graphs import set_lean
from tf_darts.runtime.memory import estimate as memory
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.replicas import Replicas
from tf_darts.runtime.run_directory import NOTHING, FollowedRun, RunDirectory, check_empty
from tf_darts.runtime.whole_programs import set_xla
from tf_darts.spaces.fast_forms import set_acceleration

Config = TypeVar("Config", SearchConfig, TrainingConfig)


def set_arithmetic(config: SearchConfig | TrainingConfig) -> None:
    """Precision, fast forms and determinism of all that is made from now on.

    Raises:
      UserError: graphs cannot be kept where they should be.
    """
    if config.graph_cache:
        graph_store.check_directory(config.graph_cache)
    set_precision(config.precision)
    set_acceleration(config.accelerate)
    set_lean(config.accelerate != "off")
    set_xla(config.xla)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def on_devices(config: Config, label: str = "") -> tuple[Config, Replicas]:
    """The configuration as its devices can take it, and the replicas that it asks for.

    Its batch is another one where it cannot be cut and `global_batch` allows to round it.

    Args:
      config: of a run.
      label: what the line about it begins with.

    Raises:
      UserError: the replicas cannot be, or the batch cannot be cut.
    """
    replicas = open_replicas(
        config.distribution,
        config.cpu_replicas,
        config.micro_batches,
        config.check_replicas,
        joint_norms=config.replica_norms == "joint",
        worker_timeout=config.worker_timeout,
    )
    if config.global_batch == "round":
        size = replicas.nearest_batch(config.batch_size)
        if size != config.batch_size:
            say(
                f"{label}The batch is rounded from {config.batch_size} to {size} examples, the"
                f" nearest multiple of its {replicas.parts} parts (--global_batch=round)."
            )
            config = dataclasses.replace(config, batch_size=size)
    replicas.check_batch(config.batch_size)
    return config, replicas


def settings_of(config: SearchConfig | TrainingConfig, replicas: Replicas) -> dict[str, Any]:
    """What decides a run's results: on other devices it is another run."""
    settings = computed_settings(config)
    if config.distribution == "auto":
        settings["distribution"] = "mirrored" if replicas.count > 1 else "one_device"
    return settings | ({"replicas": replicas.count} if replicas.count > 1 else {})


def announce_memory(
    need: memory.MemoryEstimate | None, config: SearchConfig | TrainingConfig, label: str
) -> None:
    """Says what a run will need, where that is known."""
    if need is not None:
        advice = memory.advice(config.batch_size, config.micro_batches, config.rematerialize)
        memory.announce(need, advice, label)


def kept_graphs(
    config: SearchConfig | TrainingConfig, variables: Sequence[keras.Variable], **facts: Any
) -> contextlib.AbstractContextManager[None]:
    """Inside, graphs of this configuration are kept (`graph_cache`).

    Its seed is a part of it: layers may have theirs in the graph, as the operation `noise` has.

    Args:
      config: of the run.
      variables: of the network: weights and running statistics.
      **facts: what else decides what is traced.

    Raises:
      StorageError: the directory cannot be made.
    """
    settings = dataclasses.asdict(config)
    for name in ("run_dir", "graph_cache"):
        settings.pop(name)
    settings |= facts | {"variables": [tuple(variable.shape) for variable in variables]}
    return graph_store.keeping(config.graph_cache, settings, [v.value for v in variables])


def check_directory(
    run_dir: str,
    settings: dict[str, Any],
    extendable: Extendable = NOTHING,
    legacy: Mapping[str, Any] | None = None,
) -> None:
    """Raises what `RunDirectory` will, of what can be seen before there is work; writes nothing.

    Args:
      run_dir: the directory; of several workers only the chief's is looked at.
      settings: as of `RunDirectory`.
      extendable: as there.
      legacy: as there.

    Raises:
      StateError: the directory is another run's, is no run directory, cannot be made, or is in use.
    """
    path = pathlib.Path(run_dir).expanduser()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise StateError(
            f"--run_dir={files.shown(path)}: has bytes that are no UTF-8, and TensorFlow writes no"
            " checkpoints there; give another one."
        ) from error
    there = next(p for p in (path, *path.parents) if files.exists(p))
    if not files.is_directory(there):
        raise StateError(
            f"--run_dir={path}: cannot be made, as {there} is a file; give another one."
        )
    if files.exists(path / "config.json"):
        run, recorded = RunDirectory.read(path)
        run.close()
        missing = {n: value for n, value in (legacy or {}).items() if n in settings}
        check_settings(path, missing | recorded, settings, extendable)
    elif there == path:
        check_empty(path)
    if not os.access(there, os.W_OK | os.X_OK):
        raise StateError(f"--run_dir={path}: {there} may not be written; give another one.")


@contextlib.contextmanager
def opened_run(
    config: SearchConfig | TrainingConfig,
    settings: dict[str, Any],
    replicas: Replicas,
    extendable: Extendable = NOTHING,
) -> Iterator[RunDirectory | FollowedRun]:
    """The run directory, of which only the chief of several workers has the keeping.

    Args:
      config: of the run.
      settings: what decides its results, see `settings_of`.
      replicas: those of the run.
      extendable: with which settings the run may go on where they have grown.
    """
    path, legacy = config.run_dir, legacy_settings()
    with replicas.guarded(), contextlib.ExitStack() as stack:
        if replicas.is_chief:
            run = RunDirectory(path, settings, extendable, legacy, about(config.mode, config.space))
            stack.enter_context(contextlib.closing(run))
        replicas.barrier()
        if not replicas.is_chief:
            run = stack.enter_context(contextlib.closing(FollowedRun(path, settings, legacy)))
        replicas.tell_attendance(pathlib.Path(path).expanduser() / "workers")
        yield run


def record_or_check_data(
    run: RunDirectory | FollowedRun,
    data: Data,
    config: SearchConfig | TrainingConfig,
    replicas: Replicas,
    assets: Mapping[str, str] | None = None,
) -> None:
    """See `record_data`; of several workers the chief writes, and the others compare."""
    if replicas.is_chief:
        record_data(run.path, data, data_flag(config), assets)
    replicas.barrier()
    if not replicas.is_chief:
        check_data(pathlib.Path(config.run_dir).expanduser(), data, data_flag(config), assets)
