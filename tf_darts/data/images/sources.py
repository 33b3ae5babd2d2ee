"""Where encoded images with labels are read from: files, or the shards of a TFDS data set.

A source gives `(image, label)` pairs as a `tf.data.Dataset`; an image is a scalar string, encoded,
or uint8 `[height, width, 3]`, a label a scalar int32. It gives them `ordered()` as they lie there,
and `shuffled(seed, number, start)` in the order of one pass, from example `start` on. The order is
a function of (seed, number) alone.
"""

import functools
import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_darts.data.fingerprint import Part, part_of_images
from tf_darts.data.images import pictures
from tf_darts.data.images import tfds as tfds_images
from tf_darts.data.images.tfds import PreparedImages
from tf_darts.data.pipelines import mapped
from tf_darts.errors import UserError
from tf_darts.runtime.threads import cores

_PARALLEL_SHARDS = 16  # read in turn, an example of each
_CHUNK = 2048  # examples that are shuffled together in memory, about 0.2 GB of photographs
# With fewer shards than this each is begun at a random example, since the chunks would otherwise
# be made of the same examples in every pass.
_MANY_SHARDS = 8 * _PARALLEL_SHARDS


class EncodedImages(Protocol):
    """A source of images; `count` is how many, `failure` what was wrong where reading ended."""

    count: int
    failure: UserError | None

    def part(self) -> Part:
        """What the images are, without reading them."""

    def ordered(self) -> tf.data.Dataset:
        """All pairs, always in the same order."""

    def shuffled(self, seed: int, number: int, start: int) -> tf.data.Dataset:
        """The pairs of pass `number` from the one numbered `start` on."""


class FileImages:
    """Image files; a pass is a permutation of all of them.

    They are read as those of a folder in memory are (`pictures.read`), and given decoded.

    Attributes:
      failure: what was wrong with the file at which reading ended.
    """

    def __init__(self, paths: Sequence[str], labels: np.ndarray) -> None:
        """Takes the files and their classes, int32 `[files]`."""
        self.count = len(paths)
        self.failure: UserError | None = None
        self._paths = np.array(paths, dtype=object)
        self._labels = labels

    def part(self) -> Part:
        """The digest of names, sizes in bytes and classes of the files.

        Their content is not read, which would take as long as a pass: another picture in the place
        of one is noticed where its size is another.
        """
        origins = (
            os.fsencode(f"{path.parent.name}/{path.name}\n{_size(path)}\n")
            for path in map(pathlib.Path, self._paths)
        )
        return part_of_images(origins, self._labels)

    def ordered(self) -> tf.data.Dataset:
        """See `EncodedImages`."""
        return self._read_files(np.arange(self.count))

    def shuffled(self, seed: int, number: int, start: int) -> tf.data.Dataset:
        """See `EncodedImages`."""
        return self._read_files(_random(seed, number).permutation(self.count)[start:])

    def _read_files(self, numbers: np.ndarray) -> tf.data.Dataset:
        # Typed, as an empty list of strings would become numbers.
        names = [os.fsencode(path) for path in self._paths[numbers]]  # of bytes that may be no text
        paths = tf.constant(names, tf.string, [len(numbers)])
        files = tf.data.Dataset.from_tensor_slices((paths, self._labels[numbers]))
        return mapped(files, self._pair)

    def _pair(self, path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.numpy_function(self._pixels, [path], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, [None, None, 3]), label

    def _pixels(self, path: bytes) -> np.ndarray:
        try:
            return pictures.read(pathlib.Path(os.fsdecode(path)), grey=False)
        except UserError as error:
            self.failure = error
            raise


class TfdsImages:
    """A split of a TFDS data set, or a slice of one.

    In order it is read by TFDS. In a pass the shards come in random order, sixteen at a time, an
    example of each in turn; the stream is then shuffled in chunks. To begin in the middle, whole
    shards are left out and examples are skipped unread and undecoded, so that it costs no more than
    reading 16 shards.
    """

    def __init__(self, prepared: PreparedImages, split: str) -> None:
        """Finds the shards.

        Args:
          prepared: the data set.
          split: in TFDS's words, as in `train[:1000]`.

        Raises:
          UserError: the data set is not kept as TFRecord files.
        """
        self.failure = None
        self._prepared = prepared
        self._split = split
        builder = prepared.builder
        kind = builder.info.file_format
        if kind != tfds.core.FileFormat.TFRECORD:
            raise UserError(
                f"{builder.data_path}: prepared as {kind.value}, but images are streamed from"
                " tfrecord; prepare it again with tfds build --file_format=tfrecord."
            )
        shards = builder.info.splits[split].file_instructions
        self._files = np.array([str(shard.filename) for shard in shards], dtype=object)
        self._skips = np.array([shard.skip for shard in shards], np.int64)
        self._takes = np.array([shard.take for shard in shards], np.int64)
        self.count = int(self._takes.sum())

    def part(self) -> Part:
        """The digest of what TFDS says of the split; the images are not read.

        Name and version of the data set, the bytes of the split, and which examples of which
        shards these are.
        """
        info = self._prepared.builder.info
        split = self._split.partition("[")[0]
        properties = [info.name, info.config_name, info.version, info.splits[split].num_bytes]
        shards = [pathlib.Path(file).name for file in self._files]
        properties += [*shards, *self._skips.tolist(), *self._takes.tolist()]
        return {
            "number": self.count,
            "sha256": hashlib.sha256("\n".join(map(str, properties)).encode()).hexdigest(),
        }

    def ordered(self) -> tf.data.Dataset:
        """See `EncodedImages`."""
        return mapped(tfds_images.encoded(self._prepared, self._split), self._pair)

    def shuffled(self, seed: int, number: int, start: int) -> tf.data.Dataset:
        """See `EncodedImages`."""
        random = _random(seed, number)
        order = random.permutation(len(self._files))
        offsets = np.zeros(len(order), np.int64)
        if len(order) < _MANY_SHARDS:
            offsets = random.integers(self._takes[order])
        chunk = start // _CHUNK
        # The groups of shards that lie wholly before the chunk are left out.
        sizes = np.add.reduceat(self._takes[order], np.arange(0, len(order), _PARALLEL_SHARDS))
        ends = np.cumsum(sizes)
        group = int(np.searchsorted(ends, chunk * _CHUNK, side="right"))
        group_start = int(ends[group - 1]) if group else 0
        order, offsets = (part[group * _PARALLEL_SHARDS :] for part in (order, offsets))
        shards = (self._files[order].tolist(), self._skips[order], self._takes[order], offsets)
        records = (
            tf.data.Dataset.from_tensor_slices(shards)
            .batch(_PARALLEL_SHARDS)
            .flat_map(_interleaved)
            .skip(chunk * _CHUNK - group_start)
            .batch(_CHUNK)
            .enumerate(chunk)
            .map(functools.partial(_shuffle, random.integers(2**62)))
            .prefetch(1)
            .unbatch()
            .skip(start - chunk * _CHUNK)
        )
        return mapped(records, self._parse)

    def _parse(self, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        decoders = {self._prepared.image: tfds.decode.SkipDecoding()}
        features = self._prepared.builder.info.features
        return self._pair(features.deserialize_example(record, decoders=decoders))

    def _pair(self, example: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        return example[self._prepared.image], tf.cast(example[self._prepared.label], tf.int32)


def _size(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise UserError(
            f"{path}: cannot read this image ({error.strerror}); repair or remove it."
        ) from error


def _random(seed: int, number: int) -> np.random.Generator:
    key = np.array([seed % 2**64, number], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def _records(
    file: tf.Tensor, skip: tf.Tensor, take: tf.Tensor, offset: tf.Tensor
) -> tf.data.Dataset:
    """The `take` records of a file after `skip`, from the one numbered `offset` on, in a circle."""
    records = tf.data.TFRecordDataset(file).skip(skip).take(take)
    return records.skip(offset).concatenate(records.take(offset))


def _interleaved(*shards: tf.Tensor) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(shards).interleave(
        _records,
        cycle_length=_PARALLEL_SHARDS,
        num_parallel_calls=min(cores(), _PARALLEL_SHARDS),  # more are refused
        deterministic=True,
    )


def _shuffle(seed: int, chunk: tf.Tensor, records: tf.Tensor) -> tf.Tensor:
    key = tf.stack([tf.constant(seed, tf.int64), chunk])
    # tf.data's own shuffle depends on the global seed too, and cannot be begun in the middle.
    numbers = tf.random.stateless_uniform(tf.shape(records), key, alg="philox")
    return tf.gather(records, tf.argsort(numbers, stable=True))
