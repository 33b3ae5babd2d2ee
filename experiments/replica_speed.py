"""One step in two replicas of one core each, against one replica on one core, in turn in one run.

  python experiments/replica_speed.py --task=train --batch_size=32 --layers=8
  python experiments/replica_speed.py --task=search --batch_size=16 --layers=4 --channels=8

Seconds by the clock are right on two idle cores only. The processor's are right on busy ones too:
two replicas that share their work evenly and wait for nothing take half of them, so the ratio
`bound` is the most that the clock can show. It prints a line of JSON for each form of the norms.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import dataclasses
import json
import os
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import Any

from tf_darts.runtime import start_up

start_up.load_tensorflow()

import numpy as np
import tensorflow as tf
from absl import flags

import tf_darts.accelerate  # noqa: F401, the fast forms
from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space, resolved
from tf_darts.cli import program
from tf_darts.config.presets import PRESETS, configure
from tf_darts.data.facts import ImageFacts
from tf_darts.runtime.distribution import open_replicas
from tf_darts.runtime.replicas import Replicas
from tf_darts.spaces.convolutional.make import image_objective
from tf_darts.training.step import TrainingStep

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "train", ["train", "search"], "which step, of images")
flags.DEFINE_enum("norms", "both", ["both", "joint", "own"], "the replicas' statistics")
flags.DEFINE_integer("batch_size", 32, "examples, of all replicas together")
flags.DEFINE_integer("layers", 8, "cells")
flags.DEFINE_integer("channels", 16, "of the first cell")
flags.DEFINE_integer("steps", 8, "timed steps of each, in turn")


def _batch(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    images = random.standard_normal((FLAGS.batch_size, 32, 32, 3), np.float32)
    return images, random.integers(10, size=FLAGS.batch_size, dtype=np.int32)


def make_step(replicas: Replicas) -> Callable[[], Any]:
    """A step that is taken by these replicas."""
    random = np.random.default_rng(0)
    sizes = {name: getattr(FLAGS, name) for name in ("batch_size", "layers", "channels")}
    if FLAGS.task == "train":
        preset = PRESETS["train", "cifar10"]
        config = dataclasses.replace(preset, genotype="darts_v2", **sizes)
        cell = PUBLISHED["convolutional"]["darts_v2"]
        network = image_objective(config, cell, (32, 32, 3), classes=10)
        step, batch = (
            TrainingStep(network, config, averages=False, replicas=replicas),
            _batch(random),
        )
        return lambda: step(batch, config.learning_rate, 0.0)
    given = {"mode": "search", "dataset": "cifar10", "hypergradient": "first_order"}
    config = configure(given | sizes)
    facts = ImageFacts((32, 32, 3), classes=10)
    supernet = resolved(find_space("convolutional").supernet)(config, facts, config.cells)
    search = BilevelStep(supernet, config, replicas=replicas)
    batches = _batch(random), _batch(random)
    return lambda: search(*batches, config.weight_learning_rate)


def use_cores(cores: set[int]) -> None:
    """All threads of this process compute on these cores."""
    for thread in pathlib.Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def seconds(step: Callable[[], Any], cores: set[int]) -> tuple[float, float]:
    """By the clock and of the processor, of one step."""
    use_cores(cores)
    clock, processor = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - clock, time.process_time() - processor


def main(arguments: list[str]) -> None:
    """Prints the measurements."""
    del arguments
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    cores = sorted(os.sched_getaffinity(0))[:2]
    forms = ["joint", "own"] if FLAGS.norms == "both" else [FLAGS.norms]
    replicas = {
        form: open_replicas("mirrored", cpu_replicas=2, joint_norms=form == "joint")
        for form in forms
    }
    steps = {"one": make_step(Replicas())} | {n: make_step(r) for n, r in replicas.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for turn in range(FLAGS.steps + 1):
        for name, step in steps.items():
            found = seconds(step, {cores[-1]} if name == "one" else set(cores))
            if turn:  # the first compiles
                taken[name].append(found)
    medians = {
        name: [statistics.median(each) for each in zip(*found, strict=True)]
        for name, found in taken.items()
    }
    for form in forms:
        line = {
            "task": FLAGS.task,
            "norms": form,
            "one_s": medians["one"][0],
            "two_s": medians[form][0],
            "ratio": medians["one"][0] / medians[form][0],
            "one_processor_s": medians["one"][1],
            "two_processor_s": medians[form][1],
            "bound": 2 * medians["one"][1] / medians[form][1],
        }
        print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}))


if __name__ == "__main__":
    program.run(main, "replica_speed")
