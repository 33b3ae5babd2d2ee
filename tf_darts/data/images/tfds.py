"""Any image classification set of TensorFlow Datasets."""

import contextlib
import difflib
import hashlib
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import requests
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_darts.data.images.image_set import ImageSet, allocate, differing_sizes
from tf_darts.data.images.tfds_examples import batches
from tf_darts.data.pipelines import options
from tf_darts.errors import UserError
from tf_darts.runtime.files import exists

_PROBE_SECONDS = 5  # for each address of a host, of which there may be four
_PROBED_HOSTS = 3
_PROBED_IMAGES = 64


class PreparedImages(NamedTuple):
    """A prepared data set of images with a class each.

    Attributes:
      builder: it.
      image, label: what the two are called in an example.
      classes: the names of the classes.
    """

    builder: tfds.core.DatasetBuilder
    image: str
    label: str
    classes: tuple[str, ...]


def load(
    name: str, data_dir: pathlib.Path | None, image_size: int, part: str = "train"
) -> ImageSet:
    """Reads one split, downloading and preparing the data set where it is not there yet.

    Args:
      name: as TFDS has it, with `/config` and `:version` where wanted. A set that is prepared in
        `data_dir` needs no code of TFDS's.
      data_dir: TFDS's directory; None is its default one.
      image_size: pixels of a side; 0 keeps the size, which must then be one and the same.
      part: `train` or `test`, see `split_of`.

    Raises:
      UserError: TFDS has no such set, or it is not one of images with a class each, or it cannot
        be had, is damaged, too large, or has images of differing sizes, or lacks the part.
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
    prepared = PreparedImages(builder, image, label, _classes(builder, label))
    split = split_of(name, prepared, part)
    images = allocate(source, builder.info.splits[split].num_examples, shape)
    labels = np.empty(len(images), np.int32)
    origins = _fill(prepared, split, images, labels, image_size)
    if (labels < 0).any():
        raise UserError(
            f"{source}: {(labels < 0).sum()} of the {part}ing images have no class; use another"
            " data set."
        )
    return ImageSet(name, images, labels, prepared.classes, origins)


def prepare(name: str, data_dir: pathlib.Path | None) -> PreparedImages:
    """Finds a data set, and downloads and prepares it where it is not there yet.

    What TFDS may not download itself, as ImageNet, it finds in `downloads/manual` of its directory.

    Args:
      name: as in `load`.
      data_dir: as in `load`.

    Raises:
      UserError: as `load`; where files must be fetched by hand it says which and from where.
    """
    builder = _find(name, data_dir)
    image, label = _keys(name, builder)
    _prepare(name, builder)
    return PreparedImages(builder, image, label, _classes(builder, label))


def split_of(name: str, prepared: PreparedImages, part: str) -> str:
    """The split that holds the training or the test images.

    The test images are in the split `test`, or in `validation` where there is no `test` or its
    images have no classes, as with ImageNet. For `train` no other split is opened.

    Raises:
      UserError: there is no such split.
    """
    splits = prepared.builder.info.splits
    candidates = ["train"] if part == "train" else ["test", "validation"]
    for split in candidates:
        if split in splits and (part == "train" or _has_classes(prepared, split)):
            return split
    raise UserError(
        f"--dataset={name} has no split with classes named {' or '.join(candidates)}, only"
        f" {', '.join(splits)}; use another data set."
    )


def encoded(prepared: PreparedImages, split: str) -> tf.data.Dataset:
    """The examples of a split, or of a slice of one, in order; their images are not decoded."""
    return prepared.builder.as_dataset(
        split=split,
        decoders={prepared.image: tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(try_autocache=False, options=options()),
    )


def _has_classes(prepared: PreparedImages, split: str) -> bool:
    """Whether any of the first images has one."""
    with _reading(prepared.builder):
        examples = encoded(prepared, split).take(_PROBED_IMAGES)
        return any(example[prepared.label] >= 0 for example in examples)


def _classes(builder: tfds.core.DatasetBuilder, label: str) -> tuple[str, ...]:
    classes = builder.info.features[label]
    return tuple(classes.int2str(number) for number in range(classes.num_classes))


def _find(name: str, data_dir: pathlib.Path | None) -> tfds.core.DatasetBuilder:
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError, ImportError) as error:
        names = ["digits", "folder", *tfds.list_builders()]
        base = re.split("[/:]", name)[0]  # without config and version
        similar = [] if base in names else difflib.get_close_matches(base.lower(), names)
        hint = f"perhaps you mean {' or '.join(similar)}, else " if similar else ""
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
    feature_types = ", ".join(
        f"{key}: {type(feature).__name__}" for key, feature in sorted(features.items())
    )
    raise UserError(
        f"--dataset={name} is not for image classification: an example has {feature_types}, and"
        f" its supervised keys are {keys}; use a set with 8-bit images and a class label for each."
    )


def _prepare(name: str, builder: tfds.core.DatasetBuilder) -> None:
    tfds.disable_progress_bar()  # the bars garble a log
    if exists(builder.data_path):
        return
    try:
        if not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
            _probe(builder)
        builder.download_and_prepare()
    except Exception as error:  # each data set has code of its own, which may fail in any way
        if builder.MANUAL_DOWNLOAD_INSTRUCTIONS and isinstance(error, (AssertionError, OSError)):
            folder = pathlib.Path(builder.data_dir_root) / "downloads" / "manual"
            raise UserError(
                f"{name} is not prepared in {builder.data_dir_root} and must be fetched by hand;"
                f" put its files into {folder}. TFDS says:"
                f" {' '.join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())}"
            ) from error
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
    prepared: PreparedImages,
    split: str,
    images: np.ndarray,
    labels: np.ndarray,
    image_size: int,
) -> list[bytes] | None:
    """Reads a split into two arrays; returns the digests of the images where they were scaled."""
    origins = [] if image_size else None
    with _reading(prepared.builder):
        start = 0
        examples = batches(prepared.builder, prepared.image, prepared.label, split, image_size)
        for batch in examples.as_numpy_iterator():
            end = start + len(batch[1])
            images[start:end], labels[start:end] = batch[:2]
            if origins is not None:
                origins += [hashlib.sha256(serialized).digest() for serialized in batch[2]]
            start = end
    return origins


@contextlib.contextmanager
def _reading(builder: tfds.core.DatasetBuilder) -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as error:
        raise UserError(
            f"{builder.data_path}: the prepared copy is damaged ({type(error).__name__}); delete"
            " this directory and start again."
        ) from error


def _reason(error: Exception) -> str:
    """The first line of an error's message, or its kind where it has none."""
    return str(error).strip().partition("\n")[0].rstrip(".: ") or type(error).__name__
