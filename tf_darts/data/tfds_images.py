"""Any image classification set of TensorFlow Datasets."""

import difflib
import pathlib
import re
from urllib.parse import urlsplit

import numpy as np
import requests
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_darts.data.image_set import ImageSet, allocate, differing_sizes, square
from tf_darts.errors import UserError

_PROBE_SECONDS = 5  # for each address of a host, of which there may be four
_PROBED_HOSTS = 3
_READ_BATCH = 64


def load(name: str, data_dir: pathlib.Path | None, image_size: int) -> ImageSet:
    """Reads the split `train`, downloading and preparing the data set where it is not there yet.

    Args:
      name: as TFDS has it, with `/config` and `:version` where wanted. A set that is prepared in
        `data_dir` needs no code of TFDS's.
      data_dir: TFDS's directory; None is its default one.
      image_size: pixels of a side; 0 keeps the size, which must then be one and the same.

    Raises:
      UserError: TFDS has no such set, or it is not one of images with a class each, or it cannot
        be had, is damaged, too large, or has images of differing sizes.
    """
    builder = _find(name, data_dir)
    image, label = _keys(name, builder)
    shape = builder.info.features[image].shape
    source = f"--dataset={name}"
    if image_size:
        shape = (image_size, image_size, shape[-1])
    elif None in shape:
        raise differing_sizes(source)
    _prepare(name, builder)
    if "train" not in builder.info.splits:
        raise UserError(
            f"{source} has no split named train, only {', '.join(builder.info.splits)}; use"
            " another data set."
        )
    images = allocate(source, builder.info.splits["train"].num_examples, shape)
    labels = np.empty(len(images), np.int32)
    _fill(builder, images, labels, image_size)
    if (labels < 0).any():
        raise UserError(
            f"{source}: {(labels < 0).sum()} of the training images have no class; use another"
            " data set."
        )
    classes = builder.info.features[label]
    names = tuple(classes.int2str(number) for number in range(classes.num_classes))
    return ImageSet(name, images, labels, names)


def _find(name: str, data_dir: pathlib.Path | None) -> tfds.core.DatasetBuilder:
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError, ImportError) as error:
        known = ["digits", "folder", *tfds.list_builders()]
        base = re.split("[/:]", name)[0]  # without config and version
        near = [] if base in known else difflib.get_close_matches(base.lower(), known)
        hint = f"perhaps you mean {' or '.join(near)}, else " if near else ""
        raise UserError(
            f"--dataset={name} is not to be had ({_reason(error)}); {hint}use digits, folder or one"
            " of https://www.tensorflow.org/datasets/catalog, or give the --data_dir=DIR that it is"
            " prepared in."
        ) from error


def _keys(name: str, builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    """What the image and the class are called in an example."""
    features, keys = builder.info.features, builder.info.supervised_keys
    match keys:
        case (str(image), str(label)) if (
            isinstance(features[image], tfds.features.Image)
            and features[image].np_dtype == np.uint8
            and features[image].shape[-1]
            and isinstance(features[label], tfds.features.ClassLabel)
        ):
            return image, label
    have = ", ".join(
        f"{key}: {type(feature).__name__}" for key, feature in sorted(features.items())
    )
    raise UserError(
        f"--dataset={name} is not for image classification: an example has {have}, and"
        f" its supervised keys are {keys}; use a set with 8-bit images and a class label for each."
    )


def _prepare(name: str, builder: tfds.core.DatasetBuilder) -> None:
    tfds.disable_progress_bar()  # the bars garble a log
    if builder.data_path.exists():
        return
    try:
        if not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
            _probe(builder)
        builder.download_and_prepare()
    except Exception as error:  # each data set has code of its own, which may fail in any way
        raise UserError(
            f"TFDS could not get {name} into {builder.data_dir_root} ({_reason(error)}); prepare"
            f" it by hand with tfds build {name} --data_dir=DIR and give --data_dir=DIR, or use"
            " --dataset=digits, which needs no download."
        ) from error


def _probe(builder: tfds.core.DatasetBuilder) -> None:
    """Raises if none of the hosts answers: TFDS would retry for minutes, and has no timeout."""
    hosts = {urlsplit(url).netloc: url for url in builder.url_infos if url.startswith("http")}
    failure = None
    for url in list(hosts.values())[:_PROBED_HOSTS]:
        try:
            # Any answer will do; whether it is the right one is for TFDS to see.
            requests.get(url, stream=True, timeout=_PROBE_SECONDS).close()
            return
        except requests.RequestException as error:
            failure = OSError(f"no connection to {urlsplit(url).netloc}, {type(error).__name__}")
    if failure:
        raise failure


def _fill(
    builder: tfds.core.DatasetBuilder, images: np.ndarray, labels: np.ndarray, image_size: int
) -> None:
    """Reads the training split into two arrays."""

    def fit(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return square(image, image_size) if image_size else image, label

    try:
        dataset = builder.as_dataset(split="train", as_supervised=True)
        dataset = dataset.map(fit, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        start = 0
        for batch in dataset.batch(_READ_BATCH).prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
            end = start + len(batch[1])
            images[start:end], labels[start:end] = batch
            start = end
    except tf.errors.OpError as error:
        raise UserError(
            f"{builder.data_path}: the prepared copy is damaged ({type(error).__name__}); delete"
            " this directory and start again."
        ) from error


def _reason(error: Exception) -> str:
    """The first line of an error's message, or its kind where it has none."""
    return str(error).strip().partition("\n")[0].rstrip(".: ") or type(error).__name__
