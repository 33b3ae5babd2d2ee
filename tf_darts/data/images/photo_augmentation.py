"""Photographs from their encoded bytes: only the region that is needed is decoded.

Sizes and corners are `[height, width]` and `[top, left]` in pixels; pixels are float32, 0..255.
"""

from typing import NamedTuple

import tensorflow as tf

# Of ImageNet's training pixels in units of 0..255: what the field normalises photographs with.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

_TRIES = 10  # regions drawn for an image, of which the first that fits is taken
_AREA = (0.08, 1.0)  # of the image
_ASPECT = (3 / 4, 4 / 3)  # width / height
_SHOWN = 224 / 256  # of the shorter side, in the evaluation
_GREY = (0.299, 0.587, 0.114)  # the weights of red, green and blue in a pixel's brightness


class ColourJitter(NamedTuple):
    """How far colours are changed at random; 0 leaves them alone.

    Attributes:
      brightness: factors between 1 - brightness and 1 + brightness.
      contrast: the same for the distance from the picture's mean grey.
      saturation: the same for the distance from each pixel's grey.
      hue: turns between -hue and +hue of the colour circle, at most 0.5.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.2


MOBILE_JITTER = ColourJitter()  # of ImageNet's mobile setting


def random_region(size: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A region of 0.08 to 1 of an image's area with an aspect ratio from 3:4 to 4:3.

    Areas are uniform, the logarithms of the ratios too, and the places where a region fits. Ten
    are drawn and the first is taken that fits; where none does, the largest centred one with an
    allowed ratio.

    Args:
      size: of the image, int32 `[2]`.
      seed: int64 `[2]`.

    Returns:
      The region's corner and size, int32 `[2]` each.
    """
    # tf.image.stateless_sample_distorted_bounding_box draws heights uniformly, not areas: of a
    # 375×500 photograph it shows 37 % on average, this 43 %, and all where none fits.
    numbers = tf.random.stateless_uniform([_TRIES * 2 + 2], seed, alg="philox")
    draws = tf.reshape(numbers[:-2], [_TRIES, 2])
    height, width = tf.unstack(tf.cast(size, tf.float32))
    areas = height * width * (_AREA[0] + (_AREA[1] - _AREA[0]) * draws[:, 0])
    low, high = (tf.math.log(ratio) for ratio in _ASPECT)
    ratios = tf.exp(low + (high - low) * draws[:, 1])
    sizes = tf.round(tf.sqrt(tf.stack([areas / ratios, areas * ratios], axis=1)))
    fits = tf.reduce_all((sizes >= 1) & (sizes <= [height, width]), axis=1)
    drawn = sizes[tf.argmax(fits)]
    central = tf.stack(
        [
            tf.minimum(height, tf.round(width / _ASPECT[0])),
            tf.minimum(width, tf.round(height * _ASPECT[1])),
        ]
    )
    any_fits = tf.reduce_any(fits)
    chosen = tf.cast(tf.where(any_fits, drawn, central), tf.int32)
    room = size - chosen
    # float32 just below 1 times the count may round up to it.
    places = tf.cast(tf.cast(room + 1, tf.float32) * numbers[-2:], tf.int32)
    return tf.where(any_fits, tf.minimum(places, room), room // 2), chosen


def central_region(size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The centred square of 224/256 of the shorter side.

    Up to rounding it is what is left of an image whose shorter side is scaled to 256/224 of the
    wanted size and of which a square of that size is cut out; corner and size as `random_region`.
    """
    side = tf.cast(tf.round(_SHOWN * tf.cast(tf.reduce_min(size), tf.float32)), tf.int32)
    region = tf.repeat(tf.maximum(side, 1), 2)
    return (size - region) // 2, region


def image_size(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width of an image, int32 `[2]`; of an encoded JPEG its head suffices."""
    encoded = tf.convert_to_tensor(encoded)
    if encoded.dtype != tf.string:
        return tf.shape(encoded)[:2]
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.image.extract_jpeg_shape(encoded)[:2],
        lambda: tf.shape(_decode(encoded))[:2],
    )


def decode_region(encoded: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """A region of an image, uint8 RGB.

    Args:
      encoded: a JPEG, PNG, GIF or BMP file's bytes, a scalar string; or what was decoded of one,
        uint8 `[height, width, 3]`.
      corner: of the region, int32 `[2]`.
      size: of the region, int32 `[2]`.
    """
    encoded, end = tf.convert_to_tensor(encoded), corner + size
    if encoded.dtype != tf.string:
        return encoded[corner[0] : end[0], corner[1] : end[1]]
    window = tf.concat([corner, size], axis=0)
    region = tf.cond(
        tf.io.is_jpeg(encoded),
        # Rows and columns outside of the window are skipped, most of the work with them.
        lambda: tf.image.decode_and_crop_jpeg(encoded, window, channels=3),
        lambda: _decode(encoded)[corner[0] : end[0], corner[1] : end[1]],
    )
    region.set_shape([None, None, 3])
    return region


def resize(image: tf.Tensor, side: int) -> tf.Tensor:
    """An image scaled to `[side, side, 3]`, bilinear, with antialiasing where it shrinks."""
    return tf.image.resize(image, [side, side], antialias=True)


def jitter(image: tf.Tensor, amounts: ColourJitter, seed: tf.Tensor) -> tf.Tensor:
    """Changes the colours: brightness, contrast, saturation and then hue, always in this order.

    After each of the first three, values are cut off at 0 and 255.

    Args:
      image: float32 `[height, width, 3]`, 0..255.
      amounts: how far.
      seed: int64 `[2]`.
    """
    # Of tf.image only the hue is the paper's: there brightness is added, contrast is around each
    # channel's own mean, and less saturation makes red (255, 0, 0) a light red, here a dark one.
    numbers = tf.random.stateless_uniform([4], seed, -1.0, 1.0, alg="philox")
    brightness, contrast, saturation = tf.unstack(1 + numbers[:3] * list(amounts[:3]))
    if amounts.brightness:
        image = tf.clip_by_value(image * brightness, 0, 255)
    if amounts.contrast:
        mean = tf.reduce_sum(tf.reduce_mean(image, axis=[0, 1]) * _GREY)
        image = tf.clip_by_value(mean + contrast * (image - mean), 0, 255)
    if amounts.saturation:
        # grey + saturation * (image - grey) as one matrix product on the channels.
        grey = tf.tile(tf.constant(_GREY)[:, tf.newaxis], [1, 3])
        mixture = saturation * tf.eye(3) + (1 - saturation) * grey
        pixels = tf.matmul(tf.reshape(image, [-1, 3]), mixture)
        image = tf.clip_by_value(tf.reshape(pixels, tf.shape(image)), 0, 255)
    if amounts.hue:
        image = tf.image.adjust_hue(image, amounts.hue * numbers[3])
    return image


def _decode(encoded: tf.Tensor) -> tf.Tensor:
    return tf.image.decode_image(encoded, channels=3, expand_animations=False)
