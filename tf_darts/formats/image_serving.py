"""An image classifier as a client meets it: pixels or encoded files in, classes out."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.data.images.image_set import centred
from tf_darts.data.images.photo_augmentation import central_region, resize
from tf_darts.formats.picture_decoding import TAKES, decode
from tf_darts.formats.serving_model import DEFAULT, ServingModel, Signature

_TOP = 5  # classes that an answer names


def scale_and_crop(image: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """A picture as data sets in memory scale theirs: the largest centred part.

    Args:
      image: uint8 [h, w, channels], of any size.
      shape: the height, width and channels that are wanted.

    Returns:
      float32 of that shape, 0..255.
    """
    return tf.cast(centred(image, *shape[:2]), tf.float32)


def crop_centre(image: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """A picture as streamed photographs are tested: the middle; arguments as `scale_and_crop`."""
    (top, left), (height, width) = map(tf.unstack, central_region(tf.shape(image)[:2]))
    return resize(image[top : top + height, left : left + width], shape[0])


class ImageServing(ServingModel):
    """Classes of images.

    `serving_default` takes `images`, uint8 [batch, height, width, channels] as trained on;
    `serve_bytes` takes `image_bytes`, string [batch], picture files, see `picture_decoding`. Both
    return

    - `probabilities`: float32 [batch, classes],
    - `top_classes`, `top_labels`, `top_probabilities`: int32, string, float32 [batch, k], the
      likeliest first; k is 5, or the number of classes where that is smaller.

    Args:
      classify: normalised images, float32 [batch, height, width, channels], to logits
        [batch, classes].
      variables: that `classify` reads.
      shape: height, width and channels of an image.
      mean: of each channel, in units of 0..255.
      std: of each channel, likewise.
      labels: the names of the classes.
      labels_file: the same as a file, which becomes an asset.
      fit: what makes an image of `shape` of a decoded one, `scale_and_crop` or `crop_centre`.
    """

    def __init__(
        self,
        classify: Callable[[tf.Tensor], tf.Tensor],
        variables: Sequence[tf.Variable],
        *,
        shape: tuple[int, int, int],
        mean: Sequence[float],
        std: Sequence[float],
        labels: Sequence[str],
        labels_file: str | os.PathLike[str],
        fit: Callable[[tf.Tensor, tuple[int, int, int]], tf.Tensor] = scale_and_crop,
    ) -> None:
        super().__init__()
        self._classify = classify
        self._read = list(variables)
        self._shape = shape
        self._mean, self._std = np.float32(mean), np.float32(std)
        self._classes = len(labels)
        self._fit = fit
        lines = tf.lookup.TextFileIndex
        self._labels = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                os.fspath(labels_file), tf.int64, lines.LINE_NUMBER, tf.string, lines.WHOLE_LINE
            ),
            "",
        )

    def signatures(self) -> dict[str, Signature]:
        shape = self._shape
        random = np.random.default_rng(0)
        pictures = random.integers(0, 256, (3, *shape)).astype(np.uint8)
        larger = random.integers(0, 256, (shape[0] + 7, shape[1] + 2, shape[2])).astype(np.uint8)
        files = np.array(
            [tf.io.encode_jpeg(larger).numpy(), tf.io.encode_png(pictures[0]).numpy()], object
        )
        return {
            DEFAULT: Signature(
                self.answer_pixels,
                {"images": tf.TensorSpec([None, *shape], tf.uint8)},
                ({"images": pictures[:1]}, {"images": pictures}),
            ),
            "serve_bytes": Signature(
                self.answer_files,
                {"image_bytes": tf.TensorSpec([None], tf.string)},
                ({"image_bytes": files[:1]}, {"image_bytes": files}),
            ),
        }

    def client_info(self) -> dict[str, Any]:
        return {
            "image_shape": list(self._shape),
            "image_bytes": TAKES,
            "classes": self._classes,
            "pixel_mean": self._mean.tolist(),
            "pixel_std": self._std.tolist(),
        }

    def portable(self) -> Signature:
        images = np.float32(self.signatures()[DEFAULT].examples[1]["images"])
        return Signature(
            lambda images: {"probabilities": self._probabilities(images)},
            {"images": tf.TensorSpec([None, *self._shape], tf.float32)},
            ({"images": images[:1]}, {"images": images}),
        )

    def answer_pixels(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The answer to images, uint8 [batch, height, width, channels]."""
        images = tf.ensure_shape(images, [None, *self._shape])
        return self._answer(tf.cast(images, tf.float32))

    def answer_files(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """The answer to encoded images, string [batch]."""
        spec = tf.TensorSpec(self._shape, tf.float32)

        def read_image(numbered_file: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            image = decode(numbered_file[0], self._shape[-1], numbered_file[1])
            return tf.ensure_shape(self._fit(image, self._shape), self._shape)

        numbered_files = image_bytes, tf.range(tf.size(image_bytes))
        return self._answer(tf.map_fn(read_image, numbered_files, fn_output_signature=spec))

    def _answer(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._probabilities(pixels)
        top = tf.math.top_k(probabilities, min(_TOP, self._classes))
        return {
            "probabilities": probabilities,
            "top_classes": top.indices,
            "top_labels": self._labels.lookup(tf.cast(top.indices, tf.int64)),
            "top_probabilities": top.values,
        }

    def _probabilities(self, pixels: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(self._classify((pixels - self._mean) / self._std))
