import colorsys
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_darts.data.images import photo_augmentation
from tf_darts.data.images.photo_augmentation import ColourJitter

ONLY = ColourJitter(0.0, 0.0, 0.0, 0.0)


def keys(count):
    return tf.stack(
        [tf.fill([count], tf.constant(5, tf.int64)), tf.range(count, dtype=tf.int64)], 1
    )


def regions(size, count=4000):
    def region(key):
        return photo_augmentation.random_region(tf.constant(size), key)

    made = list(tf.data.Dataset.from_tensor_slices(keys(count)).map(region).batch(count))
    return tuple(part.numpy() for part in made[0])


@pytest.fixture(scope="module")
def drawn():
    return regions([375, 500])


def test_regions_lie_within_the_image(drawn):
    corners, sizes = drawn
    assert (corners >= 0).all()
    assert (sizes >= 1).all()
    assert (corners + sizes <= [375, 500]).all()


def test_areas_and_aspects(drawn):
    _, sizes = drawn
    areas = sizes.prod(1) / (375 * 500)
    aspects = sizes[:, 1] / sizes[:, 0]
    assert areas.min() == pytest.approx(0.08, abs=0.01)
    assert areas.max() > 0.95
    assert aspects.min() == pytest.approx(3 / 4, abs=0.02)
    assert aspects.max() == pytest.approx(4 / 3, abs=0.02)
    # Small ones always fit, so these are uniform: 0.42 / 0.92 of all draws are below 0.5.
    below = areas < 0.5
    assert np.mean(areas[below] < 0.29) == pytest.approx(0.5, abs=0.04)
    logs = np.log(aspects[below])
    assert logs.mean() == pytest.approx(0, abs=0.02)
    assert np.mean(np.abs(logs) < np.log(4 / 3) / 2) == pytest.approx(0.5, abs=0.05)
    # Two large ones in three do not fit this image and are drawn anew.
    assert below.mean() > 0.46


def test_places_are_uniform(drawn):
    corners, sizes = drawn
    room = np.array([375, 500]) - sizes
    places = corners / np.maximum(room, 1)
    for axis in range(2):
        some = places[room[:, axis] > 50, axis]
        assert some.mean() == pytest.approx(0.5, abs=0.025)
        assert np.histogram(some, 4, (0, 1))[0].min() > 0.21 * len(some)
    assert abs(np.corrcoef(places.T)[0, 1]) < 0.06


@pytest.mark.parametrize(
    ("size", "corner", "region"),
    [([20, 1000], [0, 486], [20, 27]), ([1000, 30], [480, 0], [40, 30])],
)
def test_where_none_fits_the_largest_centred_one_is_taken(size, corner, region):
    corners, sizes = regions(size, 30)
    fallback = (sizes == region).all(1)
    assert fallback.sum() > 25
    assert (corners[fallback] == corner).all()


@pytest.mark.parametrize("size", [[1, 1], [1, 7], [2, 2], [5, 3]])
def test_tiny_images(size):
    corners, sizes = regions(size, 50)
    assert (sizes >= 1).all()
    assert (corners >= 0).all()
    assert (corners + sizes <= size).all()


def test_regions_depend_on_both_halves_of_the_seed():
    one, two, three = (
        np.concatenate(photo_augmentation.random_region(tf.constant([375, 500]), key))
        for key in (tf.constant(k, tf.int64) for k in ([1, 2], [1, 3], [2, 2]))
    )
    assert (one != two).any() and (one != three).any()


@pytest.mark.parametrize(
    ("size", "corner", "region"),
    [([256, 256], [16, 16], 224), ([375, 500], [23, 86], 328), ([1, 3], [0, 1], 1)],
)
def test_central_region(size, corner, region):
    made = photo_augmentation.central_region(tf.constant(size))
    assert [part.numpy().tolist() for part in made] == [corner, [region, region]]


@pytest.mark.parametrize("size", [(500, 375), (300, 420)])
def test_the_centre_is_that_of_the_scaled_image(photograph, size):
    encoded = photograph(1, size)
    region = photo_augmentation.central_region(photo_augmentation.image_size(encoded))
    made = photo_augmentation.resize(photo_augmentation.decode_region(encoded, *region), 224)
    image = Image.open(io.BytesIO(encoded))
    scale = 256 / min(size)
    whole = image.resize([round(side * scale) for side in size], Image.Resampling.BILINEAR)
    left, top = (round((side - 224) / 2) for side in whole.size)
    expected = np.asarray(whole.crop((left, top, left + 224, top + 224)), np.float64)
    # Up to half a pixel of displacement, on pictures with noise of ±20.
    assert np.abs(made - expected).mean() < 5
    assert np.abs(made - expected[::-1]).mean() > 20


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_a_region_is_that_of_the_whole_image(photograph, kind):
    encoded = tf.constant(photograph(3, (41, 33), kind))
    decode = tf.function(photo_augmentation.decode_region)
    region = decode(encoded, tf.constant([5, 9]), tf.constant([20, 17])).numpy()
    whole = tf.image.decode_image(encoded, channels=3, expand_animations=False).numpy()
    assert region.dtype == np.uint8
    # A JPEG's colours, of half the resolution, are interpolated across the region's border.
    np.testing.assert_array_equal(region[:, 1:-1], whole[5:25, 10:25])
    np.testing.assert_allclose(region, whole[5:25, 9:26], atol=40 if kind == "JPEG" else 0)
    assert photo_augmentation.image_size(encoded).numpy().tolist() == [33, 41]


def test_grey_becomes_rgb():
    file = io.BytesIO()
    Image.new("L", (9, 8), 77).save(file, "JPEG")
    made = photo_augmentation.decode_region(
        tf.constant(file.getvalue()), tf.constant([1, 1]), tf.constant([4, 3])
    )
    np.testing.assert_array_equal(made, np.full((4, 3, 3), 77))


def test_resize_averages():
    checks = np.indices((64, 96)).sum(0)[..., np.newaxis] % 2 * np.full(3, 255)
    small = photo_augmentation.resize(checks.astype(np.uint8), 8).numpy()
    assert (small.shape, small.dtype) == ((8, 8, 3), np.float32)
    np.testing.assert_allclose(small[1:-1, 1:-1], 127.5, atol=2)  # without antialiasing 0 or 255


IMAGE = np.random.default_rng(0).uniform(0, 255, (7, 6, 3)).astype(np.float32)
GREY = (IMAGE @ [0.299, 0.587, 0.114])[..., np.newaxis]


def jitters(keys, image=IMAGE, **amounts):
    def jitter(key):
        return photo_augmentation.jitter(tf.constant(image), ONLY._replace(**amounts), key)

    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(keys, tf.int64))
    return np.stack(list(dataset.map(jitter).as_numpy_iterator()))


def jitter(image=IMAGE, key=(1, 2), **amounts):
    return jitters([key], image, **amounts)[0]


def test_no_jitter():
    np.testing.assert_array_equal(jitter(), IMAGE)


def reference(kind, factor):
    if kind == "hue":
        turned = [
            colorsys.hsv_to_rgb((h + factor) % 1, s, v)
            for h, s, v in (colorsys.rgb_to_hsv(*pixel) for pixel in IMAGE.reshape(-1, 3) / 255)
        ]
        return np.reshape(turned, IMAGE.shape) * 255
    origin = {"brightness": 0, "contrast": GREY.mean(), "saturation": GREY}[kind]
    return np.clip(origin + factor * (IMAGE - origin), 0, 255)


@pytest.mark.parametrize("key", [(1, 2), (7, 0), (3, 9), (4, 4)])
@pytest.mark.parametrize("place, kind", list(enumerate(ColourJitter._fields)))
def test_each_kind_of_jitter(place, kind, key):
    draw = tf.random.stateless_uniform([4], key, -1.0, 1.0, alg="philox").numpy()[place]
    factor = 0.3 * draw if kind == "hue" else 1 + 0.3 * draw
    expected = reference(kind, factor)
    np.testing.assert_allclose(jitter(key=key, **{kind: 0.3}), expected, atol=2e-3)
    assert np.abs(expected - IMAGE).max() > 1


def test_jitter_is_in_the_order_that_is_said():
    image = IMAGE
    for kind in ColourJitter._fields:
        image = jitter(image, **{kind: 0.4})
    every = jitter(**dict.fromkeys(ColourJitter._fields, 0.4))
    np.testing.assert_allclose(every, image, atol=2e-3)


def test_factors_are_uniform():
    flat = np.full((1, 1, 3), 100, np.float32)
    values = jitters([(1, n) for n in range(400)], flat, brightness=0.4)[:, 0, 0, 0]
    assert 60 <= values.min() < 63
    assert 137 < values.max() <= 140
    assert values.mean() == pytest.approx(100, abs=4.7)


def test_values_stay_within_bounds():
    made = jitters([(1, n) for n in range(50)], **ColourJitter()._asdict())
    assert made.min() >= -1e-3
    assert made.max() <= 255.001
