"""What a configuration searches in and learns from: where supernets and data meet."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras

from tf_darts.bilevel.engine import SearchData
from tf_darts.cells.genotype import ConvolutionalGenotype, Genotype, RecurrentGenotype
from tf_darts.config.presets import preset_for
from tf_darts.config.search import ConvolutionalSearchConfig, RecurrentSearchConfig, SearchConfig
from tf_darts.data.images.search_batches import ImageSearchData
from tf_darts.data.texts import registry as texts
from tf_darts.data.texts.search_batches import TextSearchData
from tf_darts.data.trivial_scores import (
    MOST_FREQUENT_CLASS,
    WORD_FREQUENCIES,
    majority_accuracy,
    unigram_perplexity,
)
from tf_darts.runs.training_tasks import image_model, load_images, tell
from tf_darts.runtime.console import say
from tf_darts.runtime.precision import check_language_model
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.convolutional.derived.counts import counts as image_counts
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.recurrent.derived.counts import counts as recurrent_counts
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.word_model import DROPOUTS
from tf_darts.spaces.supernet import Supernet


class SearchTask(NamedTuple):
    """A search without its engine.

    Attributes:
      supernet: what is searched.
      data: what it learns from.
      baseline: name and validation score of something trivial to compare with.
      counts: of a cell, how large the network is that `--mode=train` makes of it by default, on
        the same data; see `TrainingObjective.counts`.
    """

    supernet: Supernet
    data: SearchData
    baseline: tuple[str, float]
    counts: Callable[[Genotype], dict[str, int]]


@functools.singledispatch
def search_task(config: SearchConfig) -> SearchTask:
    """The task of a configuration; a new space registers its own configuration class here."""
    raise TypeError(f"no search is known for {type(config).__name__}")


@search_task.register
def _(config: RecurrentSearchConfig) -> SearchTask:
    corpus = texts.load(config.dataset, config.data_dir, config.min_count)
    check_language_model(config.units, corpus.vocabulary.size)
    data = TextSearchData(
        corpus,
        batch_size=config.batch_size,
        bptt=config.bptt,
        seed=sub_seed(config.seed, "lengths"),
        short_probability=config.short_probability,
        steps_per_epoch=config.steps_per_epoch,
        evaluation_batch_size=config.evaluation_batch_size,
        joint=config.optimization != "bilevel",
    )
    model = RelaxedLanguageModel(
        words=corpus.vocabulary.size,
        units=config.units,
        **{name: getattr(config, name) for name in DROPOUTS},
        seed=sub_seed(config.seed, "weights"),
    )
    supernet = RecurrentSupernet(model, config.temporal_activation_penalty, config.rematerialize)
    words = corpus.vocabulary.size
    perplexity = unigram_perplexity(words, corpus.train, corpus.validation)

    def counts(cell: RecurrentGenotype) -> dict[str, int]:
        units = preset_for("train", config.dataset).units
        return recurrent_counts(cell, words, units)

    say(corpus.summary())
    return SearchTask(supernet, data, (WORD_FREQUENCIES, perplexity), counts)


@search_task.register
def _(config: ConvolutionalSearchConfig) -> SearchTask:
    image_set = load_images(config)
    data = ImageSearchData(
        image_set,
        batch_size=config.batch_size,
        seed=sub_seed(config.seed, "images"),
        train_portion=config.train_portion,
        train_examples=config.train_examples,
        division=config.division,
        crop_padding=config.crop_padding,
        flip=config.flip,
        steps_per_epoch=config.steps_per_epoch,
        evaluation_batch_size=config.evaluation_batch_size,
        joint=config.optimization != "bilevel",
        dtype=keras.config.floatx(),
    )
    tell(config, data.summary)
    model = RelaxedImageClassifier(
        classes=len(image_set.classes),
        channels=config.channels,
        layers=config.layers,
        seed=sub_seed(config.seed, "weights"),
    )
    supernet = ConvolutionalSupernet(model, image_set.shape, config.rematerialize)
    accuracy = majority_accuracy(data.train_labels, data.validation_labels)

    def counts(cell: ConvolutionalGenotype) -> dict[str, int]:
        trained = preset_for("train", config.dataset)
        return image_counts(image_model(trained, cell, len(image_set.classes)), image_set.shape)

    return SearchTask(supernet, data, (MOST_FREQUENT_CLASS, accuracy), counts)
