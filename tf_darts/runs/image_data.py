"""The data half of runs on images: from settings to batches, whatever the space."""

import dataclasses

import keras
import numpy as np

from tf_darts.config.data_searches import ImageSearchConfig
from tf_darts.config.training import ImageTrainingConfig
from tf_darts.data.facts import ImageFacts
from tf_darts.data.images import folder as image_folder
from tf_darts.data.images import registry as images
from tf_darts.data.images.augmentation import share_cut_out
from tf_darts.data.images.division import USER_VALIDATION, summary_line
from tf_darts.data.images.image_set import ImageSet
from tf_darts.data.images.passes import check_pixels, training_split
from tf_darts.data.images.search_batches import ImageSearchData
from tf_darts.data.images.streamed import StreamedImageData
from tf_darts.data.images.training_batches import ImageTrainingData
from tf_darts.data.trivial_scores import MOST_FREQUENT_CLASS, majority_accuracy
from tf_darts.runs.data_parts import SearchPart, TestPart, TrainingPart
from tf_darts.runtime.console import tell
from tf_darts.runtime.seeds import sub_seed

_MUCH = 0.4  # of an image; the paper's square takes 19 % of CIFAR-10's


def load_images(config: ImageSearchConfig | ImageTrainingConfig) -> ImageSet:
    """The training images, with the user's own validation images where they are to be used."""
    part = image_folder.TRAIN_AND_VALIDATION if config.division == USER_VALIDATION else "train"
    return images.load(config.dataset, config.data_dir, config.image_size, part)


def _tell(config: ImageSearchConfig | ImageTrainingConfig, summary: str) -> None:
    """Says what was read of the user's own images; of others it is known."""
    if config.dataset == "folder":
        tell(summary)


def search_part(config: ImageSearchConfig) -> SearchPart:
    """What a search learns from."""
    image_set = load_images(config)
    if config.permute_labels:
        random = np.random.default_rng(sub_seed(config.seed, "labels"))
        image_set = dataclasses.replace(image_set, labels=random.permutation(image_set.labels))
    cutouts = [option.cutout() for option in config.make_parts("edge_options")]
    cutout, cutout_rate = max(cutouts, default=(0, 0.0))
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
        cutout=cutout,
        cutout_rate=cutout_rate,
        epochs=config.epochs,
        dtype=keras.config.floatx(),
    )
    accuracy = majority_accuracy(data.train_labels, data.validation_labels)
    facts = ImageFacts(image_set.shape, len(image_set.classes))
    _tell(config, data.summary)
    # Batches would need all pixels again, which this must not keep: they check these numbers.
    name, side, user_validation = (
        image_set.name,
        min(facts.shape[:2]),
        image_set.user_validation_count > 0,
    )
    total = len(image_set.labels) - image_set.user_validation_count

    def check_training(training: ImageTrainingConfig) -> None:
        training_split(
            name,
            total,
            batch_size=training.batch_size,
            validation_examples=0 if user_validation else training.validation_examples,
            train_on_all=training.train_on_all,
            train_examples=training.train_examples,
        )
        check_pixels(name, side, training.crop_padding, training.cutout)

    # The first that a refusal names is tried first.
    small = {
        "validation_examples": len(data.validation_labels),
        "batch_size": config.batch_size,
        "crop_padding": config.crop_padding,
        "cutout": 0,
    }
    return SearchPart(data, facts, (MOST_FREQUENT_CLASS, accuracy), check_training, small)


def _training_data(
    config: ImageTrainingConfig,
) -> tuple[ImageTrainingData | StreamedImageData, ImageFacts]:
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
        return data, ImageFacts(data.shape, len(data.classes))
    image_set = load_images(config)
    data = ImageTrainingData(
        image_set, crop_padding=config.crop_padding, cutout=config.cutout, **common
    )
    return data, ImageFacts(image_set.shape, len(image_set.classes))


def training_part(config: ImageTrainingConfig) -> TrainingPart:
    """What a training learns from."""
    data, facts = _training_data(config)
    baseline = None
    if isinstance(data, ImageTrainingData) and data.validates:
        baseline = MOST_FREQUENT_CLASS, majority_accuracy(data.train_labels, data.validation_labels)
    _tell(config, data.summary)
    height, width, _ = facts.shape
    if (share := share_cut_out(height, width, config.cutout)) > _MUCH and not config.stream_images:
        tell(
            f"--cutout={config.cutout} blanks {100 * share:.0f} % of an image of {height}x{width}"
            f" on average; --cutout={min(height, width) // 2} would be the share of the paper's."
        )
    return TrainingPart(data, facts, baseline)


def test_part(config: ImageTrainingConfig) -> TestPart:
    """What a training is tested on: this reads the test part."""
    data, facts = _training_data(config)  # its moments normalise the test images too
    size = config.evaluation_batch_size
    if isinstance(data, StreamedImageData):
        return TestPart(data.test(), size, None, data, data.test_fingerprint(), facts)
    test = images.load(config.dataset, config.data_dir, config.image_size, part="test")
    _tell(config, summary_line(test.name, test.classes, {"test part": test.labels}, test.skipped))
    baseline = MOST_FREQUENT_CLASS, majority_accuracy(data.train_labels, test.labels)
    tested = test.fingerprint({"test": None})
    return TestPart(data.test(test), size, baseline, data, tested, facts)
