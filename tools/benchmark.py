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

import dataclasses
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))


import benchmark_table
import numpy as np
import tensorflow as tf
from absl import app, flags

from tf_darts.config import PRESETS
from tf_darts.configuration.search import RecurrentSearchConfig
from tf_darts.data import images
from tf_darts.data.image_streams import ImageSearchData
from tf_darts.data.streamed_images import StreamedImageData
from tf_darts.published_cells import PUBLISHED
from tf_darts.runtime.memory import Need, peak_resident
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.threads import operations_side_by_side
from tf_darts.search.memory import need_of_search
from tf_darts.search.step import BilevelStep
from tf_darts.spaces.convolutional.image_classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.supernet import ConvolutionalSupernet
from tf_darts.spaces.recurrent.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.supernet import RecurrentSupernet
from tf_darts.training.memory import need_of_training
from tf_darts.training.step import TrainingStep
from tf_darts.training_tasks import image_network, language_network

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "task",
    "rnn_search",
    ["rnn_search", "cnn_search", "rnn_train", "cnn_train", "image_input"],
    "which step",
)
flags.DEFINE_enum(
    "hypergradient",
    "finite_difference",
    ["first_order", "finite_difference", "exact"],
    "which architecture gradient",
)
flags.DEFINE_bool("rematerialize", False, "compute cells again in the backward pass")
flags.DEFINE_integer("batch_size", 64, "examples in a batch", lower_bound=2)
flags.DEFINE_integer("units", None, "recurrent: width (default: the paper's)", lower_bound=1)
flags.DEFINE_integer("words", 10000, "recurrent: size of the vocabulary", lower_bound=2)
flags.DEFINE_integer("bptt", 35, "recurrent: time steps", lower_bound=2)
flags.DEFINE_integer(
    "channels", None, "convolutional: of the first cell (default: the paper's)", lower_bound=2
)
flags.DEFINE_integer("layers", None, "convolutional: cells (default: the paper's)", lower_bound=3)
flags.DEFINE_integer("image_size", 32, "convolutional: pixels of a side", lower_bound=4)
flags.DEFINE_string("dataset", "digits", "image_input: whose images")
flags.DEFINE_string("data_dir", "", "image_input: where they are")
flags.DEFINE_bool("photographs", False, "image_input: read large ones from files, as ImageNet's")
flags.DEFINE_string("precision", "float32", "as --precision of a run")
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


class Task(NamedTuple):
    """What is timed.

    Attributes:
      run: one step.
      flops: in matrix products, where they are counted.
      sizes: what describes it.
      need: the estimate of its memory, where there is one.
    """

    run: Callable[[], Any]
    flops: float | None
    sizes: dict[str, Any]
    need: Need | None = None


def recurrent_step() -> Task:
    """A whole step of the recurrent search on random words, and its FLOPs in matrix products.

    A loss costs F; its gradient by the weights 2F more, by α alone F more (no weight gradients).
    First order: α of one loss, weights of another. Finite difference: three gradients by the
    weights, two by α alone. Exact: three, and one differentiated again (6F).
    """
    units, words, batch_size = FLAGS.units or 300, FLAGS.words, FLAGS.batch_size
    config = RecurrentSearchConfig(batch_size=batch_size, hypergradient=FLAGS.hypergradient)
    model = RelaxedLanguageModel(
        words=words,
        units=units,
        input_dropout=config.input_dropout,
        cell_input_dropout=config.cell_input_dropout,
        hidden_dropout=config.hidden_dropout,
        output_dropout=config.output_dropout,
    )
    supernet = RecurrentSupernet(model, config.slowness, FLAGS.rematerialize)
    need = need_of_search(supernet, config, FLAGS.bptt)
    step = BilevelStep(supernet, config)
    random = np.random.default_rng(0)
    shape = (FLAGS.bptt, batch_size)
    train, validation = (
        tuple(random.integers(words, size=shape, dtype=np.int32) for _ in range(2))
        for _ in range(2)
    )
    edges = supernet.cells["cell"].edges
    row = 2 * (2 * units) * (2 * units) + edges * 2 * units * 2 * units + 2 * units * words
    losses = {"first_order": 2 + 3, "finite_difference": 3 * 3 + 2 * 2, "exact": 3 * 3 + 6}
    flops = float(FLAGS.bptt * batch_size * row * losses[FLAGS.hypergradient])
    sizes = {"units": units, "words": words, "bptt": FLAGS.bptt}
    return Task(lambda: step(train, validation, config.weight_learning_rate), flops, sizes, need)


def recurrent_training_step() -> Task:
    """A whole step of training a language model with the cell V2 on random words.

    Multiply-adds forward, as many again for the activations' and for the weights' gradients.
    """
    units, words, batch_size = FLAGS.units or 850, FLAGS.words, FLAGS.batch_size
    config = dataclasses.replace(
        PRESETS["train", "ptb"],
        batch_size=batch_size,
        units=units,
        genotype="darts_v2",
        rematerialize=FLAGS.rematerialize,
    )
    network = language_network(config, PUBLISHED["recurrent"]["darts_v2"], words)
    need = need_of_training(network, config, FLAGS.bptt)
    step = TrainingStep(network, config, averages=False)
    random = np.random.default_rng(0)
    batch = tuple(
        random.integers(words, size=(FLAGS.bptt, batch_size), dtype=np.int32) for _ in range(2)
    )
    flops = 3.0 * 2 * network.counts()["multiply-adds a word"] * FLAGS.bptt * batch_size
    sizes = {"units": units, "words": words, "bptt": FLAGS.bptt}
    return Task(lambda: step(batch, config.learning_rate, 0.5), flops, sizes, need)


def convolutional_training_step() -> Task:
    """A whole step of training the network of V2 on random images of ten classes.

    With the threads that `--mode=train` would have.
    """
    operations_side_by_side()
    batch_size, size = FLAGS.batch_size, FLAGS.image_size
    preset = PRESETS["train", "cifar10"]
    config = dataclasses.replace(
        preset,
        batch_size=batch_size,
        genotype="darts_v2",
        rematerialize=FLAGS.rematerialize,
        channels=FLAGS.channels or preset.channels,
        layers=FLAGS.layers or preset.layers,
    )
    cell = PUBLISHED["convolutional"]["darts_v2"]
    network = image_network(config, cell, (size, size, 3), classes=10)
    need = need_of_training(network, config)
    step = TrainingStep(network, config, averages=False)
    random = np.random.default_rng(0)
    batch = (
        random.standard_normal((batch_size, size, size, 3), np.float32),
        random.integers(10, size=batch_size, dtype=np.int32),
    )
    flops = 3.0 * 2 * network.counts()["multiply-adds an image"] * batch_size
    sizes = {"channels": config.channels, "layers": config.layers, "image_size": size}
    return Task(lambda: step(batch, config.learning_rate, 1.0), flops, sizes, need)


def convolutional_step() -> Task:
    """A whole step of the convolutional search on random images of ten classes."""
    batch_size, size = FLAGS.batch_size, FLAGS.image_size
    config = dataclasses.replace(
        PRESETS["search", "cifar10"], batch_size=batch_size, hypergradient=FLAGS.hypergradient
    )
    channels, layers = FLAGS.channels or config.channels, FLAGS.layers or config.layers
    model = RelaxedImageClassifier(10, channels, layers, seed=0)
    supernet = ConvolutionalSupernet(model, (size, size, 3), FLAGS.rematerialize)
    need = need_of_search(supernet, config)
    step = BilevelStep(supernet, config)
    random = np.random.default_rng(0)
    train, validation = (
        (
            random.standard_normal((batch_size, size, size, 3), np.float32),
            random.integers(10, size=batch_size, dtype=np.int32),
        )
        for _ in range(2)
    )
    sizes = {"channels": channels, "layers": layers, "image_size": size}
    return Task(lambda: step(train, validation, config.weight_learning_rate), None, sizes, need)


def image_input() -> Task:
    """The next augmented batch, as ImageNet's training reads it, or pair of them, as the search."""
    if FLAGS.photographs:
        data = StreamedImageData(
            FLAGS.dataset,
            FLAGS.data_dir,
            batch_size=FLAGS.batch_size,
            seed=0,
            validation_examples=0,
        )
    else:
        data = ImageSearchData(
            images.load(FLAGS.dataset, FLAGS.data_dir), batch_size=FLAGS.batch_size, seed=0
        )
    epochs = itertools.count()
    batches = itertools.chain.from_iterable(data.epoch(epoch) for epoch in epochs)

    def read() -> None:
        next(batches)[0][0].numpy()

    return Task(read, None, data.description())


TASKS = {
    "rnn_search": recurrent_step,
    "cnn_search": convolutional_step,
    "rnn_train": recurrent_training_step,
    "cnn_train": convolutional_training_step,
    "image_input": image_input,
}


def searches() -> bool:
    """Whether the task has a hypergradient, and two batches a step."""
    return FLAGS.task.endswith("search")


def peer_seconds() -> float:
    """The median step of the other program, same task, sizes and order."""
    command = [FLAGS.python, FLAGS.against, FLAGS.task, "--batch", str(FLAGS.batch_size)]
    if searches():
        command += ["--order", "1" if FLAGS.hypergradient == "first_order" else "2"]
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
        print(benchmark_table.table(FLAGS.against or "", FLAGS.python, FLAGS.steps, FLAGS.rounds))
        return
    other = None
    if FLAGS.against_precision:
        set_precision(FLAGS.against_precision)
        other = TASKS[FLAGS.task]().run
        timed(other, 0, 1 + FLAGS.warmup)
    set_precision(FLAGS.precision)
    start = time.perf_counter()
    run, flops, sizes, need = TASKS[FLAGS.task]()
    built = time.perf_counter() - start
    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    timed(run, 0, FLAGS.warmup)
    seconds, peer, others = [], [], []
    for _ in range(FLAGS.rounds):
        seconds += timed(run, FLAGS.steps, warmup=1)
        if other:
            others += timed(other, FLAGS.steps, warmup=1)
        if FLAGS.against:
            peer.append(peer_seconds())
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
        pathlib.Path(FLAGS.output).write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    app.run(main)
