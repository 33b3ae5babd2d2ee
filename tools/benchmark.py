"""Times whole steps of searches and trainings; prints one JSON line.

    python tools/benchmark.py --batch_size=64 --hypergradient=finite_difference
    python tools/benchmark.py --task=cnn_search --batch_size=16 --hypergradient=first_order
    python tools/benchmark.py --task=cnn_train --batch_size=8
    python tools/benchmark.py --task=rnn_train --batch_size=64
    python tools/benchmark.py --task=image_input --dataset=cifar10
    python tools/benchmark.py --task=image_input --photographs --dataset=folder --data_dir=DIR
    python tools/benchmark.py --against=PATH/torch_darts.py --python=ENV_WITH_TORCH/bin/python

    python tools/benchmark.py --against-torch --against=PATH/torch_darts.py --python=...

With `--against`, a PyTorch program that prints {"median_s": ...} for the same step is run in turn
with ours, round by round, and the ratio of the medians is of this one run. `--against-torch` does
so for all steps and prints a table; without torch it says so, and times only ours.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import benchmark_table
import tensorflow as tf
from absl import app, flags
from benchmark_tasks import TASKS

from tf_darts.cli import program
from tf_darts.config.devices import ACCELERATIONS
from tf_darts.runtime.files import write_atomically, writing
from tf_darts.runtime.lean_graphs import set_lean
from tf_darts.runtime.memory.estimate import peak_resident
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.whole_programs import XLA, set_xla
from tf_darts.spaces.fast_forms import recorded, set_acceleration

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "task",
    "rnn_search",
    list(TASKS),
    "which step",
)
flags.DEFINE_string("precision", "float32", "as --precision of a run")
flags.DEFINE_enum("accelerate", "auto", ACCELERATIONS, "as --accelerate of a run")
flags.DEFINE_enum("xla", "auto", XLA, "as --xla of a run")
flags.DEFINE_string(
    "against_precision", None, "another one, whose steps are timed in turn with ours"
)
flags.DEFINE_integer("steps", 5, "timed steps in a round", lower_bound=1)
flags.DEFINE_integer("warmup", 2, "steps before the first timed one", lower_bound=1)
flags.DEFINE_integer("rounds", 1, "rounds; with --against the programs alternate", lower_bound=1)
flags.DEFINE_string("against", None, "a PyTorch program to run in turn")
flags.DEFINE_string("python", sys.executable, "the interpreter that has torch, for --against")
flags.DEFINE_bool("against-torch", False, "all steps in turn with --against, as a table")
flags.DEFINE_string("output", None, "also write the JSON to this file")


def gemm_rate(size: int = 2048) -> float:
    """The machine's float32 matrix product, in FLOP/s: the best of several.

    Where each operation has one core, as many products at once as there are cores.
    """
    alone = tf.config.threading.get_intra_op_parallelism_threads() == 1
    count = tf.config.threading.get_inter_op_parallelism_threads() if alone else 1
    matrices = [tf.random.normal([size, size]) for _ in range(count)]
    products = tf.function(lambda: [tf.matmul(m, m) for m in matrices], autograph=False)
    return 2.0 * count * size**3 / min(timed(products, 8, warmup=2))


def timed(run: Callable[[], Any], times: int, warmup: int = 0) -> list[float]:
    """Seconds of each of `times` runs after `warmup` others."""
    for _ in range(warmup):
        run()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def searches() -> bool:
    """Whether the task has a hypergradient, and two batches a step."""
    return FLAGS.task.endswith("search")


def peer_seconds(hypergradient: str) -> float:
    """The median step of the other program, same task, sizes and order."""
    command = [FLAGS.python, FLAGS.against, FLAGS.task, "--batch", str(FLAGS.batch_size)]
    if searches():
        command += ["--order", "1" if hypergradient == "first_order" else "2"]
    command += ["--steps", str(FLAGS.steps)]
    if FLAGS.task.startswith("rnn") and FLAGS.units:
        command += ["--units", str(FLAGS.units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"benchmark: {' '.join(command)} failed: {done.stderr.strip()[-400:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["median_s"])


def main(arguments: list[str]) -> None:
    """Prints the measurement."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected argument {arguments[1]!r}")
    if FLAGS["against-torch"].value:
        peer = FLAGS.against or ""
        for line in benchmark_table.table(peer, FLAGS.python, FLAGS.steps, FLAGS.rounds):
            print(line, flush=True)
        return
    if FLAGS.output:
        with writing(FLAGS.output), pathlib.Path(FLAGS.output).open("a"):
            pass  # what cannot be written is refused before minutes of work
    other = None
    if FLAGS.against_precision:
        set_precision(FLAGS.against_precision)
        other = TASKS[FLAGS.task]().run
        timed(other, 0, 1 + FLAGS.warmup)
    set_precision(FLAGS.precision)
    set_acceleration(FLAGS.accelerate)
    set_lean(FLAGS.accelerate != "off")
    set_xla(FLAGS.xla)
    start = time.perf_counter()
    task = TASKS[FLAGS.task]()
    run, flops, sizes, need = task.run, task.flops, task.sizes, task.need
    built = time.perf_counter() - start
    start = time.perf_counter()
    with recorded() as forms:
        run()
    first = time.perf_counter() - start
    timed(run, 0, FLAGS.warmup)
    seconds, peer, others = [], [], []
    for _ in range(FLAGS.rounds):
        seconds += timed(run, FLAGS.steps, warmup=1)
        if other:
            others += timed(other, FLAGS.steps, warmup=1)
        if FLAGS.against:
            peer.append(peer_seconds(sizes.get("hypergradient", FLAGS.hypergradient)))
    peak = peak_resident()  # before the product's own matrices
    rate, median = gemm_rate(), statistics.median(seconds)
    batches = 2 if searches() or (FLAGS.task == "image_input" and not FLAGS.photographs) else 1
    result = {
        "task": FLAGS.task,
        "hypergradient": FLAGS.hypergradient,
        "batch_size": FLAGS.batch_size,
        "rematerialize": FLAGS.rematerialize,
        "precision": FLAGS.precision,
        **sizes,
        "median_s": round(median, 5),
        "min_s": round(min(seconds), 5),
        "max_s": round(max(seconds), 5),
        "examples_per_s": round(FLAGS.batch_size * batches / median),
        "first_step_s": round(first, 2),
        "peak_memory_gb": round(peak / 1e9, 3),
        "built_s": round(built, 2),
        "fast_forms": sorted({form.__name__ for form in forms}),
        "gemm_gflop_per_s": round(rate / 1e9, 1),
    }
    if need:
        result["estimated_memory_gb"] = round(need.total / 1e9, 3)
        result["estimate_over_peak"] = round(need.total / peak, 2)
        result["estimate"] = {k: round(v / 1e9, 3) for k, v in dataclasses.asdict(need).items()}
    if flops:
        result["gflop"] = round(flops / 1e9, 1)
        result["gflop_per_s"] = round(flops / median / 1e9, 1)
        result["share_of_gemm"] = round(flops / median / rate, 3)
    if not searches():
        del result["hypergradient"]
    if others:
        result["against_precision"] = FLAGS.against_precision
        result["against_median_s"] = round(statistics.median(others), 5)
        result["times_as_fast"] = round(statistics.median(others) / median, 2)
    if peer:
        result["peer_median_s"] = round(statistics.median(peer), 4)
        result["times_faster"] = round(statistics.median(peer) / median, 2)
    line = json.dumps(result)
    if FLAGS.output:
        write_atomically(FLAGS.output, line + "\n")
    print(line)


if __name__ == "__main__":
    program.run(main, "benchmark")
