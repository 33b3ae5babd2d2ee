"""The steps that `tools/benchmark.py` times, at sizes given by flags."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from absl import flags

import tf_darts.accelerate  # noqa: F401, the fast forms of all that is made here
from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space, resolved
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.presets import PRESETS, configure_texts
from tf_darts.data.facts import ImageFacts
from tf_darts.data.images import registry as images
from tf_darts.data.images.search_batches import ImageSearchData
from tf_darts.data.images.streamed import StreamedImageData
from tf_darts.runs.memory_estimates import search_memory, training_memory
from tf_darts.runtime.garbage import without_collection
from tf_darts.runtime.graph_optimisers import leave_out_graph_optimisers
from tf_darts.runtime.memory.estimate import MemoryEstimate
from tf_darts.runtime.threads import use_inter_op_threads
from tf_darts.spaces.convolutional.make import image_objective
from tf_darts.spaces.recurrent.make import language_objective
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig
from tf_darts.training.step import TrainingStep

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "hypergradient",
    "finite_difference",
    list(HYPERGRADIENTS),
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
flags.DEFINE_multi_string(
    "setting", [], "of a search on images: NAME=VALUE of another setting of it, as method=gdas"
)
flags.DEFINE_bool("dropout", True, "units, and paths of a network in training, are dropped")
flags.DEFINE_string("dataset", "digits", "image_input: whose images")
flags.DEFINE_string("data_dir", "", "image_input: where they are")
flags.DEFINE_bool("photographs", False, "image_input: read large ones from files, as ImageNet's")


class Task(NamedTuple):
    """What is timed.

    Attributes:
      step: what does it.
      arguments: what the step is given.
      flops: in matrix products, where they are counted.
      sizes: what describes it.
      need: the estimate of its memory, where there is one.
    """

    step: Callable[..., Any]
    arguments: tuple[Any, ...]
    flops: float | None
    sizes: dict[str, Any]
    need: MemoryEstimate | None = None

    def run(self) -> None:
        """One step."""
        self.step(*self.arguments)


def _dropout_rates() -> dict[str, float]:
    """What a recurrent configuration is given besides its own."""
    inside = "input_dropout", "cell_input_dropout", "hidden_dropout", "output_dropout"
    return {} if FLAGS.dropout else dict.fromkeys(("embedding_dropout", *inside), 0.0)


def recurrent_step() -> Task:
    """A whole step of the recurrent search on random words, and its FLOPs in matrix products.

    A loss costs F; its gradient by the weights 2F more, by α alone F more (no weight gradients).
    First order: α of one loss, weights of another. Finite difference: three gradients by the
    weights, two by α alone. Exact: three, and one differentiated again (6F).
    """
    units, words, batch_size = FLAGS.units or 300, FLAGS.words, FLAGS.batch_size
    config = RecurrentSearchConfig(
        batch_size=batch_size, hypergradient=FLAGS.hypergradient, **_dropout_rates()
    )
    model = RelaxedLanguageModel(
        words=words,
        units=units,
        input_dropout=config.input_dropout,
        cell_input_dropout=config.cell_input_dropout,
        hidden_dropout=config.hidden_dropout,
        output_dropout=config.output_dropout,
    )
    supernet = RecurrentSupernet(model, config.temporal_activation_penalty, FLAGS.rematerialize)
    need = search_memory(supernet, config, FLAGS.bptt)
    step = BilevelStep(supernet, config)
    random = np.random.default_rng(0)
    shape = (FLAGS.bptt, batch_size)
    train, validation = (
        tuple(random.integers(words, size=shape, dtype=np.int32) for _ in range(2))
        for _ in range(2)
    )
    edges = supernet.cells["cell"].edges
    row = 2 * (2 * units) * (2 * units) + edges * 2 * units * 2 * units + 2 * units * words
    flops = float(FLAGS.bptt * batch_size * row * HYPERGRADIENTS[FLAGS.hypergradient].cost)
    sizes = {"units": units, "words": words, "bptt": FLAGS.bptt}
    arguments = train, validation, config.weight_learning_rate
    return Task(step, arguments, flops, sizes, need)


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
        **_dropout_rates(),
    )
    network = language_objective(config, PUBLISHED["recurrent"]["darts_v2"], words)
    need = training_memory(network, config, FLAGS.bptt)
    step = TrainingStep(network, config, averages=False)
    random = np.random.default_rng(0)
    batch = tuple(
        random.integers(words, size=(FLAGS.bptt, batch_size), dtype=np.int32) for _ in range(2)
    )
    flops = 3.0 * 2 * network.counts()["multiply-adds a word"] * FLAGS.bptt * batch_size
    sizes = {"units": units, "words": words, "bptt": FLAGS.bptt}
    return Task(step, (batch, config.learning_rate, 0.5), flops, sizes, need)


def convolutional_training_step() -> Task:
    """A whole step of training the network of V2 on random images of ten classes.

    With the threads and graph optimisers that `--mode=train` would have.
    """
    use_inter_op_threads()
    leave_out_graph_optimisers()
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
    network = image_objective(config, cell, (size, size, 3), classes=10)
    need = training_memory(network, config)
    step = TrainingStep(network, config, averages=False)
    random = np.random.default_rng(0)
    batch = (
        random.standard_normal((batch_size, size, size, 3), np.float32),
        random.integers(10, size=batch_size, dtype=np.int32),
    )
    flops = 3.0 * 2 * network.counts()["multiply-adds an image"] * batch_size
    sizes = {"channels": config.channels, "layers": config.layers, "image_size": size}
    dropped = 1.0 if FLAGS.dropout else 0.0  # of the last epoch's share of paths
    return Task(step, (batch, config.learning_rate, dropped), flops, sizes, need)


def image_search_step(space: str) -> Task:
    """A whole step of a search on random images of ten classes, in a space for images.

    With the threads, graph optimisers and settings that `--mode=search` would have.
    """
    use_inter_op_threads()
    leave_out_graph_optimisers(of_search=True)
    own = {"channels": FLAGS.channels, "layers": FLAGS.layers, "rematerialize": FLAGS.rematerialize}
    given = {name: value for name, value in own.items() if value}
    base = {"mode": "search", "dataset": "cifar10", "space": space} | given
    texts = dict(text.split("=", 1) for text in FLAGS.setting)
    base |= {"batch_size": FLAGS.batch_size}
    if "method" not in texts or FLAGS["hypergradient"].present:  # a method has its own
        base |= {"hypergradient": FLAGS.hypergradient}
    config = configure_texts(base, texts, "setting")
    facts = ImageFacts((FLAGS.image_size, FLAGS.image_size, 3), classes=10)
    with without_collection():
        supernet = resolved(find_space(space).supernet)(config, facts, config.cells)
    need = search_memory(supernet, config)
    step = BilevelStep(supernet, config)
    random = np.random.default_rng(0)
    train, validation = (
        (
            random.standard_normal((FLAGS.batch_size, *facts.shape), np.float32),
            random.integers(10, size=FLAGS.batch_size, dtype=np.int32),
        )
        for _ in range(2)
    )
    sizes = {"method": config.label, "hypergradient": config.hypergradient}
    sizes |= {"channels": config.channels, "image_size": FLAGS.image_size} | given
    arguments = train, validation, config.weight_learning_rate
    return Task(step, arguments, None, sizes, need)


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

    return Task(read, (), None, data.description())


TASKS = {
    "rnn_search": recurrent_step,
    "cnn_search": functools.partial(image_search_step, "convolutional"),
    "nb201_search": functools.partial(image_search_step, "nasbench201"),
    "rnn_train": recurrent_training_step,
    "cnn_train": convolutional_training_step,
    "image_input": image_input,
}
