"""What a configuration trains on what, and tests on what: where derived cells and data meet."""

import functools
import pathlib
from typing import NamedTuple

import keras

import tf_darts.accelerate  # noqa: F401, the fast forms of all that is made here
from tf_darts.cells import genotype, references
from tf_darts.cells.foreign import FORMS, is_text
from tf_darts.cells.published import PUBLISHED, published_cells
from tf_darts.config.presets import PRESETS
from tf_darts.config.search import ConvolutionalSearchConfig
from tf_darts.config.training import (
    ConvolutionalTrainingConfig,
    RecurrentTrainingConfig,
    TrainingConfig,
)
from tf_darts.data.images import folder as image_folder
from tf_darts.data.images import registry as images
from tf_darts.data.images.division import USER_VALIDATION, summary_line
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.streamed import StreamedImageData
from tf_darts.data.images.training_batches import ImageTrainingData
from tf_darts.data.texts import registry as texts
from tf_darts.data.texts.corpus import Corpus
from tf_darts.data.texts.training_batches import TextTrainingData, fingerprint_of_test, text_test
from tf_darts.data.trivial_scores import (
    MOST_FREQUENT_CLASS,
    WORD_FREQUENCIES,
    majority_accuracy,
    unigram_perplexity,
)
from tf_darts.errors import UserError
from tf_darts.runtime.console import say
from tf_darts.runtime.files import exists, shown
from tf_darts.runtime.precision import check_language_model
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.convolutional.derived.network import DerivedNetwork
from tf_darts.spaces.convolutional.derived.objective import (
    CifarNetwork,
    ImageClassification,
    ImageNetNetwork,
)
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.spaces.recurrent.derived.objective import LanguageModel, NextWordPrediction
from tf_darts.spaces.recurrent.word_model import DROPOUTS
from tf_darts.training.engine import TrainingData
from tf_darts.training.finished import TrainingTest

MANY_CLASSES = 100  # from so many on, whether the right one is among the first five says something


class TrainingTask(NamedTuple):
    """A training without its engine.

    Attributes:
      objective: what is trained.
      data: what it learns from.
      baseline: name and validation score of something trivial to compare with.
    """

    objective: TrainingObjective
    data: TrainingData
    baseline: tuple[str, float] | None


def find_cell(config: TrainingConfig) -> genotype.Genotype:
    """The cell that `--genotype` names, or is.

    Raises:
      UserError: it is neither a published cell nor a file or text with one, or it is of another
        space.
    """
    name, published = config.genotype, published_cells(config.space)
    if name in published:
        return published[name]
    spaces = {name: space for space, cells in PUBLISHED.items() for name in cells}
    if not (name in spaces or is_text(name) or pathlib.Path(name).suffix or exists(name)):
        ours = f"for --dataset={config.dataset} use one of {', '.join(published)}, or "
        advice = f"{ours if published else ''}{FORMS}"
        raise UserError(f"--genotype={shown(name)}: no file and no published cell; {advice}.")
    cell = PUBLISHED[spaces[name]][name] if name in spaces else references.read(name)
    check_space(config, cell)
    return cell


def check_space(config: TrainingConfig, cell: genotype.Genotype) -> None:
    """Raises `UserError` where the data set needs a cell of another space."""
    if cell.space == config.space:
        return
    sets = [
        dataset
        for (mode, dataset), preset in PRESETS.items()
        if mode == config.mode and preset.space == cell.space
    ]
    raise UserError(
        f"--genotype={shown(config.genotype)}: a {cell.space} cell;"
        f" --dataset={config.dataset} needs a {config.space} one;"
        + (f" it goes with --dataset={'|'.join(sets)}." if sets else " give one of that space.")
    )


@functools.singledispatch
def training_task(config: TrainingConfig, cell: genotype.Genotype) -> TrainingTask:
    """The task of a configuration; a new space registers its own configuration class here."""
    raise TypeError(f"no training is known for {type(config).__name__}")


@functools.singledispatch
def training_test(config: TrainingConfig, cell: genotype.Genotype) -> TrainingTest:
    """The test of a training; the only place that reads a test part."""
    raise TypeError(f"no test is known for {type(config).__name__}")


def language_model(
    config: RecurrentTrainingConfig, cell: genotype.RecurrentGenotype, words: int
) -> LanguageModel:
    """A language model of `words` words as configured; its weights are yet to be made."""
    return LanguageModel(
        cell,
        words=words,
        units=config.units,
        **{name: getattr(config, name) for name in DROPOUTS},
        seed=sub_seed(config.seed, "weights"),
    )


def language_objective(
    config: RecurrentTrainingConfig, cell: genotype.RecurrentGenotype, words: int
) -> NextWordPrediction:
    """The training of a `language_model`, with random weights."""
    model = language_model(config, cell, words)
    return NextWordPrediction(
        model,
        temporal_activation_penalty=config.temporal_activation_penalty,
        activation_penalty=config.activation_penalty,
        rematerialize=config.rematerialize,
    )


def _text_data(config: RecurrentTrainingConfig, corpus: Corpus) -> TextTrainingData:
    return TextTrainingData(
        corpus,
        batch_size=config.batch_size,
        bptt=config.bptt,
        seed=sub_seed(config.seed, "lengths"),
        short_probability=config.short_probability,
        steps_per_epoch=config.steps_per_epoch,
        evaluation_batch_size=config.evaluation_batch_size,
    )


@training_task.register
def _(config: RecurrentTrainingConfig, cell: genotype.RecurrentGenotype) -> TrainingTask:
    corpus = texts.load(config.dataset, config.data_dir, config.min_count)
    check_language_model(config.units, corpus.vocabulary.size)
    data = _text_data(config, corpus)
    objective = language_objective(config, cell, corpus.vocabulary.size)
    baseline = (
        WORD_FREQUENCIES,
        unigram_perplexity(corpus.vocabulary.size, corpus.train, corpus.validation),
    )
    say(corpus.summary())
    return TrainingTask(objective, data, baseline)


@training_test.register
def _(config: RecurrentTrainingConfig, cell: genotype.RecurrentGenotype) -> TrainingTest:
    corpus = texts.load(config.dataset, config.data_dir, config.min_count, with_test=True)
    objective = language_objective(config, cell, corpus.vocabulary.size)
    size = config.test_batch_size
    baseline = (
        WORD_FREQUENCIES,
        unigram_perplexity(corpus.vocabulary.size, corpus.train, corpus.test),
    )
    batches = text_test(corpus, batch_size=size, bptt=config.bptt)
    data = _text_data(config, corpus)
    say(corpus.summary())
    return TrainingTest(objective, batches, size, baseline, data, fingerprint_of_test(corpus))


def load_images(config: ConvolutionalSearchConfig | ConvolutionalTrainingConfig) -> ImageSet:
    """The training images, with the user's own validation images where they are to be used."""
    part = image_folder.TRAIN_AND_VALIDATION if config.division == USER_VALIDATION else "train"
    return images.load(config.dataset, config.data_dir, config.image_size, part)


def tell(config: ConvolutionalSearchConfig | ConvolutionalTrainingConfig, summary: str) -> None:
    """Says what was read of the user's own images; of others it is known."""
    if config.dataset == "folder":
        say(summary)


def _image_data(
    config: ConvolutionalTrainingConfig,
) -> tuple[ImageTrainingData | StreamedImageData, tuple[int, int, int], int]:
    """The training data, the shape of an image and the number of classes."""
    common = {
        "batch_size": config.batch_size,
        "seed": sub_seed(config.seed, "images"),
        "validation_examples": config.validation_examples,
        "train_on_all": config.train_on_all,
        "train_examples": config.train_examples,
        "division": config.division,
        "flip": config.flip,
        "steps_per_epoch": config.steps_per_epoch,
        "evaluation_batch_size": config.evaluation_batch_size,
        "dtype": keras.config.floatx(),
    }
    if config.stream_images:
        data = StreamedImageData(
            config.dataset,
            config.data_dir,
            image_size=config.image_size,
            random_crop=config.random_resized_crop,
            colour_jitter=(*[config.color_jitter] * 3, config.hue_jitter),
            **common,
        )
        return data, data.shape, len(data.classes)
    image_set = load_images(config)
    data = ImageTrainingData(
        image_set, crop_padding=config.crop_padding, cutout=config.cutout, **common
    )
    return data, image_set.shape, len(image_set.classes)


def image_model(
    config: ConvolutionalTrainingConfig, cell: genotype.ConvolutionalGenotype, classes: int
) -> DerivedNetwork:
    """An image classifier as configured; its weights are yet to be made."""
    kind = {"cifar": CifarNetwork, "imagenet": ImageNetNetwork}[config.network]
    return kind(
        cell,
        classes=classes,
        channels=config.channels,
        layers=config.layers,
        auxiliary=config.auxiliary_weight > 0,
        seed=sub_seed(config.seed, "weights"),
    )


def image_objective(
    config: ConvolutionalTrainingConfig,
    cell: genotype.ConvolutionalGenotype,
    shape: tuple[int, int, int],
    classes: int,
) -> ImageClassification:
    """The training of an `image_model`, with random weights; `shape` is of an image."""
    return ImageClassification(
        image_model(config, cell, classes),
        shape,
        auxiliary_weight=config.auxiliary_weight,
        label_smoothing=config.label_smoothing,
        drop_path=config.drop_path,
        top5=config.network == "imagenet" and classes >= MANY_CLASSES,
        batch_size=config.batch_size,
        rematerialize=config.rematerialize,
    )


@training_task.register
def _(config: ConvolutionalTrainingConfig, cell: genotype.ConvolutionalGenotype) -> TrainingTask:
    data, shape, classes = _image_data(config)
    tell(config, data.summary)
    objective = image_objective(config, cell, shape, classes)
    baseline = None
    if isinstance(data, ImageTrainingData) and data.validates:
        baseline = MOST_FREQUENT_CLASS, majority_accuracy(data.train_labels, data.validation_labels)
    return TrainingTask(objective, data, baseline)


@training_test.register
def _(config: ConvolutionalTrainingConfig, cell: genotype.ConvolutionalGenotype) -> TrainingTest:
    data, shape, classes = _image_data(config)  # its moments normalise the test images too
    objective = image_objective(config, cell, shape, classes)
    if isinstance(data, StreamedImageData):
        batches, tested = data.test(), data.test_fingerprint()
        return TrainingTest(objective, batches, config.evaluation_batch_size, None, data, tested)
    test = images.load(config.dataset, config.data_dir, config.image_size, part="test")
    tell(config, summary_line(test.name, test.classes, {"test part": test.labels}, test.skipped))
    baseline = MOST_FREQUENT_CLASS, majority_accuracy(data.train_labels, test.labels)
    batches, tested = data.test(test), test.fingerprint({"test": None})
    return TrainingTest(objective, batches, config.evaluation_batch_size, baseline, data, tested)
