import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_darts.data.images.image_set import square
from tf_darts.formats.image_serving import ImageServing, crop_centre, scale_and_crop
from tf_darts.formats.picture_decoding import decode

LABELS = tuple("abcdefgh")


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(np.squeeze(pixels)).save(file, kind, **options)
    return file.getvalue()


def serving(tmp_path, channels=3, labels=LABELS, shape=(8, 8), **settings):
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    kernel = np.random.default_rng(0).normal(size=(channels, len(labels)))
    kernel = tf.Variable(kernel, dtype=tf.float32)
    return ImageServing(
        lambda images: tf.reduce_mean(images, [1, 2]) @ kernel,
        [kernel],
        shape=(*shape, channels),
        mean=[100.0] * channels,
        std=[50.0] * channels,
        labels=labels,
        labels_file=tmp_path / "labels.txt",
        **settings,
    ), kernel.numpy()


def pictures(*shape):
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)


def test_pixels_are_normalised_inside(tmp_path):
    one, kernel = serving(tmp_path)
    images = pictures(4, 8, 8, 3)
    answer = one.answer_pixels(tf.constant(images))
    logits = ((images - 100.0) / 50).mean(axis=(1, 2)) @ kernel
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-4)
    order = np.argsort(-expected)[:, :5]
    np.testing.assert_array_equal(answer["top_classes"], order)
    assert [[LABELS[i] for i in row] for row in order] == np.char.decode(
        answer["top_labels"].numpy().astype("S1")
    ).tolist()
    np.testing.assert_allclose(
        answer["top_probabilities"], np.take_along_axis(expected, order, 1), rtol=1e-4
    )


def test_few_classes(tmp_path):
    one, _ = serving(tmp_path, labels=("cat", "a dog"))
    answer = one.answer_pixels(tf.constant(pictures(1, 8, 8, 3)))
    assert set(answer["top_labels"].numpy()[0]) == {b"cat", b"a dog"}


@pytest.mark.parametrize("channels", [1, 3])
def test_files_of_the_size_are_their_pixels(tmp_path, channels):
    one, _ = serving(tmp_path, channels)
    images = pictures(3, 8, 8, channels)
    files = tf.constant([encoded(image) for image in images])
    for name, value in one.answer_files(files).items():
        expected = one.answer_pixels(tf.constant(images))[name]
        np.testing.assert_array_equal(value, expected)


def test_larger_files_are_cut_and_scaled_as_a_data_set_is(tmp_path):
    one, _ = serving(tmp_path)
    image = pictures(40, 30, 3)
    small = square(image[np.newaxis], 8)
    answer = one.answer_files(tf.constant([encoded(image)]))["probabilities"]
    np.testing.assert_allclose(answer, one.answer_pixels(small)["probabilities"], rtol=1e-5)


def test_images_that_are_not_square():
    for shape in ((40, 30), (10, 90)):
        assert scale_and_crop(tf.constant(pictures(*shape, 3)), (6, 9, 3)).shape == (6, 9, 3)
    image = pictures(12, 30, 3)
    np.testing.assert_array_equal(scale_and_crop(tf.constant(image), (12, 18, 3)), image[:, 6:24])


def test_the_middle_of_photographs():
    image = pictures(256, 300, 3)
    np.testing.assert_allclose(
        crop_centre(tf.constant(image), (224, 224, 3)), image[16:240, 38:262], atol=1e-3
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_decoding(channels):
    smooth = np.tile(np.linspace(0, 255, 32).astype(np.uint8)[:, None, None], [1, 32, 3])
    for file in (encoded(smooth, "JPEG", quality=95), encoded(smooth), encoded(smooth[..., 0])):
        found = decode(tf.constant(file), channels).numpy().astype(int)
        assert found.shape == (32, 32, channels)
        assert np.abs(found - smooth[..., :channels]).max() <= 6
    glass = np.zeros((4, 4, 4), np.uint8)
    glass[0, 0] = [10, 10, 10, 255]
    found = decode(tf.constant(encoded(glass)), channels).numpy()
    assert (found[0, 0] == 10).all() and (found[1:] == 255).all()
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.constant(b"no picture"), channels)
