"""The examples of a split of a TFDS data set, all of them, fast."""

import tensorflow as tf
import tensorflow_datasets as tfds

from tf_darts.data.images.image_set import square
from tf_darts.data.pipelines import mapped, read_ahead

_BATCH = 256  # examples
_TFDS_BATCH = 64


def batches(
    builder: tfds.core.DatasetBuilder, image: str, label: str, split: str, image_size: int
) -> tf.data.Dataset:
    """The images and classes of a split in TFDS's order, in batches.

    TFDS reads, parses and decodes one example at a time, in several calls of `tf.data`: of small
    images that is two thirds of all the time. So records are parsed by the batch here, and a loop
    within one call decodes them. What lies in several files, which TFDS mixes, or in no TFRecords,
    TFDS reads.

    Args:
      builder: of a prepared data set.
      image: what the image is called in an example.
      label: what the class is called.
      split: the name of the split.
      image_size: the side in pixels to which images are scaled, or 0.

    Returns:
      Images uint8 `[batch, height, width, channels]` and classes int64 `[batch]`; where they are
      scaled the images as they were too, strings `[batch]` of `tf.io.serialize_tensor`.
    """
    info = builder.info
    feature, stored = info.features[image], info.features.get_serialized_info()
    files = list(map(str, info.splits[split].filepaths))

    def fitted(picture: tf.Tensor) -> tuple[tf.Tensor, ...]:
        if not image_size:
            return (picture,)
        return square(picture, image_size), tf.io.serialize_tensor(picture)

    if not (
        len(files) == 1
        and info.file_format == tfds.core.FileFormat.TFRECORD
        and stored[image].shape == stored[label].shape == ()
    ):
        config = tfds.ReadConfig(try_autocache=False)  # it is read once
        examples = builder.as_dataset(split=split, as_supervised=True, read_config=config)
        if image_size:  # a map of every image takes a tenth of all the time
            examples = mapped(examples, lambda picture, number: _joined(fitted(picture), number))
        return read_ahead(examples.batch(_TFDS_BATCH))
    wanted = {name: tf.io.FixedLenFeature((), stored[name].tf_dtype) for name in (image, label)}
    size = (image_size, image_size) if image_size else feature.shape[:2]
    specs = [tf.TensorSpec((*size, feature.shape[-1]), tf.uint8), tf.TensorSpec((), tf.string)]

    def decoded(records: tf.Tensor) -> tuple[tf.Tensor, ...]:
        examples = tf.io.parse_example(records, wanted)
        pictures = tf.map_fn(
            lambda encoded: fitted(feature.decode_example(encoded)),
            examples[image],
            fn_output_signature=tuple(specs if image_size else specs[:1]),
        )
        return _joined(pictures, examples[label])

    # As many as TFDS wrote: of a file that was cut between two records TensorFlow says nothing.
    whole = tf.data.experimental.assert_cardinality(info.splits[split].num_examples)
    return read_ahead(mapped(tf.data.TFRecordDataset(files).apply(whole).batch(_BATCH), decoded))


def _joined(pictures: tuple[tf.Tensor, ...], number: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return pictures[0], number, *pictures[1:]
