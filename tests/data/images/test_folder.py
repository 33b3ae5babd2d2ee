import os

import numpy as np
import pytest
from PIL import Image

from tf_darts.data.images import folder as image_folder
from tf_darts.data.images import registry as images
from tf_darts.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
GREY = PIXELS[..., 0]


def save(path, pixels=PIXELS, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **settings)


def load(folder, **settings):
    return images.load("folder", folder, **settings)


@pytest.mark.parametrize("root", [".", "train"])
def test_classes_and_files_are_in_the_order_of_their_names(tmp_path, root):
    root = tmp_path / root
    for number, name in enumerate(("dog/2.png", "cat/b.PNG", "cat/a.bmp", "dog/1.png")):
        save(root / name, PIXELS + np.uint8(number))
    save(root / "cat" / ".hidden.png")
    save(root / ".thumbnails" / "1.png")
    (root / "cat" / "notes.txt").write_text("not an image")
    (root / "cat" / "folder.png").mkdir()
    made = load(tmp_path)
    assert (made.name, made.classes) == ("folder", ("cat", "dog"))
    assert made.labels.tolist() == [0, 0, 1, 1]
    assert made.labels.dtype == np.int32
    expected = [PIXELS + np.uint8(number) for number in (2, 1, 3, 0)]
    np.testing.assert_array_equal(made.images, expected)


def test_train_goes_before_other_folders(tmp_path):
    for name in ("train/a", "train/b", "test/a", "test/b"):
        save(tmp_path / name / "1.png")
    assert load(tmp_path).classes == ("a", "b")


def split_folder(tmp_path, train=("a", "b"), test=("a", "b")):
    for part, names in (("train", train), ("test", test)):
        for number, name in enumerate(names):
            save(
                tmp_path / part / name / "1.png", PIXELS + np.uint8(number + 10 * (part == "test"))
            )


def test_the_test_part(tmp_path):
    split_folder(tmp_path)
    made = load(tmp_path, part="test")
    assert (made.name, made.classes) == ("folder", ("a", "b"))
    assert made.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(made.images, [PIXELS + np.uint8(10), PIXELS + np.uint8(11)])
    np.testing.assert_array_equal(load(tmp_path).images, [PIXELS, PIXELS + np.uint8(1)])


@pytest.mark.parametrize("root", [".", "train"])
def test_no_test_part(tmp_path, root):
    for name in "ab":
        save(tmp_path / root / name / "1.png")
    assert len(load(tmp_path).images) == 2
    words = rf"^{tmp_path} has no images set aside for the test; make it {tmp_path}/train/CLASS and"
    with pytest.raises(UserError, match=words):
        load(tmp_path, part="test")


def test_a_test_folder_without_a_train_folder_is_a_class(tmp_path):
    for name in ("test", "plane"):
        save(tmp_path / name / "1.png")
    assert load(tmp_path).classes == ("plane", "test")
    with pytest.raises(UserError, match="no images set aside"):
        load(tmp_path, part="test")


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ("abc", "ab", "the class c is only in train; give train and test folders of the same"),
        ("ab", "abc", "the class c is only in test"),
        ("ab", "ac", "the class b is only in train and the class c is only in test; give"),
        ("abcde", "ab", "the classes c, d and e are only in train; give"),
        ("abcdefghijkl", "ab", r"10 classes \(c, d, e, f, g, h, i, j, …\) are only in train; give"),
    ],
)
def test_the_parts_must_have_the_same_classes(tmp_path, train, test, words):
    split_folder(tmp_path, train, test)
    assert load(tmp_path).classes == tuple(train)
    with pytest.raises(UserError, match=words):
        load(tmp_path, part="test")


def test_pictures_that_are_in_two_parts_are_warned_of(tmp_path, caplog):
    split_folder(tmp_path)
    load(tmp_path, part="test")
    assert not caplog.records
    for number in (2, 3):
        for part in ("train", "test"):
            save(tmp_path / part / "b" / f"{number}.png", PIXELS + np.uint8(number))
    load(tmp_path)
    assert not caplog.records, "the test part is not read"
    load(tmp_path, part="test")
    test, train = (tmp_path / part / "b" / "2.png" for part in ("test", "train"))
    words = f"2 pictures of test: byte for byte in train too ({test} is {train}), so that"
    assert [r.getMessage().startswith(words) for r in caplog.records] == [True]
    caplog.clear()
    (tmp_path / "val").mkdir()
    for label in "ab":
        save(tmp_path / "val" / label / "1.png", PIXELS + np.uint8(3 if label == "b" else 90))
    load(tmp_path, part="train and validation")
    (record,) = caplog.records
    assert record.getMessage().startswith("1 picture of validation: byte for byte in train too (")


@pytest.mark.parametrize("state", ["damaged", "empty", "unlike", "a pipe"])
def test_test_images_are_not_opened_unless_asked_for(tmp_path, state):
    split_folder(tmp_path)
    path = tmp_path / "test" / "b" / "1.png"
    path.unlink()
    if state == "damaged":
        path.write_bytes(b"not an image")
    elif state == "a pipe":
        os.mkfifo(path)  # whoever opens it waits forever
    elif state == "unlike":
        save(path, PIXELS[:2])
    np.testing.assert_array_equal(load(tmp_path).images, [PIXELS, PIXELS + np.uint8(1)])
    with pytest.raises(UserError):
        load(tmp_path, part="test")


@pytest.mark.parametrize("train_is_grey", [True, False])
def test_the_test_images_have_the_channels_of_the_training_images(tmp_path, train_is_grey):
    for name in "ab":
        save(tmp_path / "train" / name / "1.png", GREY if train_is_grey else PIXELS)
        save(tmp_path / "test" / name / "1.png", PIXELS if train_is_grey else GREY)
    assert load(tmp_path).shape == load(tmp_path, part="test").shape
    assert load(tmp_path).shape[-1] == (1 if train_is_grey else 3)


def test_train_may_be_a_class(tmp_path):
    save(tmp_path / "train" / "1.png")
    save(tmp_path / "plane" / "1.png")
    assert load(tmp_path).classes == ("plane", "train")


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "bmp", "gif"])
def test_formats(tmp_path, suffix):
    flat = np.full_like(PIXELS, 100)
    save(tmp_path / "a" / f"1.{suffix}", flat)
    save(tmp_path / "b" / f"1.{suffix}", flat)
    np.testing.assert_allclose(load(tmp_path).images, 100, atol=2)


def test_all_grey(tmp_path):
    save(tmp_path / "a" / "8.png", GREY)
    save(tmp_path / "b" / "1.png", Image.fromarray(GREY > 99))
    save(tmp_path / "b" / "16.png", GREY.astype(np.uint16) * 257)
    save(tmp_path / "b" / "alpha.png", np.stack([GREY, np.full_like(GREY, 255)], -1))
    made = load(tmp_path).images
    assert made.shape == (4, 5, 6, 1)
    expected = [GREY, (GREY > 99) * np.uint8(255), GREY, GREY]
    np.testing.assert_array_equal(made[..., 0], expected)


def test_some_grey(tmp_path):
    save(tmp_path / "a" / "1.png")
    save(tmp_path / "b" / "1.png", GREY)
    save(tmp_path / "b" / "2.png", GREY.astype(np.uint16) * 257)
    made = load(tmp_path).images
    np.testing.assert_array_equal(made[0], PIXELS)
    np.testing.assert_array_equal(made[1:], [np.repeat(GREY[..., np.newaxis], 3, -1)] * 2)


def test_transparent_is_white(tmp_path):
    alpha = np.zeros((5, 6, 1), np.uint8)
    alpha[2:] = 255
    save(tmp_path / "a" / "1.png", np.concatenate([PIXELS, alpha], -1))
    save(tmp_path / "b" / "1.png", Image.fromarray(PIXELS).quantize(4), transparency=0)
    made = load(tmp_path).images
    assert made.shape == (2, 5, 6, 3)
    np.testing.assert_array_equal(made[0, 2:], PIXELS[2:])
    assert (made[0, :2] == 255).all()
    assert (made[1] == 255).all(-1).any()


def test_an_animation_is_its_first_picture(tmp_path):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    save(tmp_path / "a" / "1.gif", frames[0], save_all=True, append_images=frames[1:])
    save(tmp_path / "b" / "1.png", frames[0])
    made = load(tmp_path).images
    np.testing.assert_array_equal(made[0], made[1])


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees to see it upright
    save(path, exif=exif)


def test_photographs_are_upright(tmp_path):
    turned(tmp_path / "a" / "1.png")
    save(tmp_path / "b" / "1.png", np.rot90(PIXELS, -1))
    made = load(tmp_path, image_size=5).images
    np.testing.assert_array_equal(made[0], made[1])
    made = load(tmp_path).images  # of one size, as both are upright
    np.testing.assert_array_equal(made[0], made[1])
    save(tmp_path / "b" / "1.png")
    with pytest.raises(UserError, match="differ in size"):
        load(tmp_path)


def test_mixed_sizes(tmp_path):
    save(tmp_path / "a" / "1.png")
    save(tmp_path / "b" / "1.png", PIXELS[:3])
    with pytest.raises(UserError, match=rf"^{tmp_path}: the images differ .* --image_size=N"):
        load(tmp_path)
    made = load(tmp_path, image_size=3).images
    assert made.shape == (2, 3, 3, 3)
    np.testing.assert_array_equal(made[1], PIXELS[:3, 1:4])


@pytest.mark.parametrize("content", [b"", b"not an image", "half"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp"])
def test_unreadable(tmp_path, content, suffix):
    save(tmp_path / "a" / "1.png")
    path = tmp_path / "b" / f"1.{suffix}"
    save(path)
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half if content == "half" else content)
    with pytest.raises(UserError, match=rf"^{path}: cannot read this image \([^)]+\); repair"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"not an image", "half"])
def test_all_unreadable_files_are_named_at_once(tmp_path, content):
    for number in range(12):
        path = tmp_path / "ab"[number % 2] / f"{number:02}.png"
        save(path)
        if number != 5:
            half = path.read_bytes()[: path.stat().st_size // 2]
            path.write_bytes(half if content == "half" else content)
    with pytest.raises(UserError, match="It is the same with 10 more files: a/02") as told:
        load(tmp_path)
    assert str(told.value).startswith(f"{tmp_path}/a/00.png: cannot read this image (")
    assert str(told.value).endswith(", b/07.png and others.") and "05.png" not in str(told.value)


def test_names_that_are_no_text(tmp_path):
    """Bytes of another encoding: a file may have them, a class may not."""
    for name in (b"a", b"b"):
        save(tmp_path / os.fsdecode(name) / os.fsdecode(b"\xe4.png"))
    assert load(tmp_path).classes == ("a", "b")
    save(tmp_path / os.fsdecode(b"caf\xe9") / "1.png")
    with pytest.raises(UserError) as told:
        load(tmp_path)
    sentence = "the name of this class is not UTF-8; rename the folder."
    assert str(told.value) == f"{tmp_path}/caf\\udce9: {sentence}"


def test_no_directory():
    with pytest.raises(UserError, match=r"needs --data_dir=DIR"):
        load(None)


def test_no_classes(tmp_path):
    with pytest.raises(UserError, match=r"two or more classes, but it has none"):
        load(tmp_path)


def test_one_class(tmp_path):
    save(tmp_path / "cat" / "1.png")
    with pytest.raises(UserError, match=r"two or more classes, but it has only cat"):
        load(tmp_path)


def test_an_empty_class(tmp_path):
    save(tmp_path / "cat" / "1.png")
    (tmp_path / "dog").mkdir()
    with pytest.raises(UserError, match=rf"^{tmp_path / 'dog'} has no images \(JPEG, .*remove"):
        load(tmp_path)


def test_all_formats_are_read_and_what_is_left_out_is_told(tmp_path):
    for number, suffix in enumerate(("png", "webp", "tif", "TIFF", "ppm", "jpg")):
        save(tmp_path / "a b" / f"{number}.{suffix}", np.full_like(PIXELS, 100))
    save(tmp_path / "été" / "1.png")
    (tmp_path / "été" / "1.png").rename(tmp_path / "été" / "without suffix")
    save(tmp_path / "été" / "deeper" / "2.png")
    (tmp_path / "été" / "notes.txt").write_text("P3 words")
    (tmp_path / "été" / ".DS_Store").write_bytes(b"123")
    (tmp_path / "été" / "gone.png").symlink_to("/no/such.png")
    (tmp_path / "README.md").write_text("of the set")
    found = image_folder.find_files(tmp_path)
    assert found.classes == ("a b", "été")
    assert np.bincount(found.labels).tolist() == [6, 1]
    assert found.skipped == (
        "1 dead link (été/gone.png), 1 folder inside of a class (été/deeper),"
        " 1 hidden (été/.DS_Store), 2 not pictures (README.md, été/notes.txt)"
    )
    made = load(tmp_path)
    assert made.formats == ("JPEG", "PNG", "PPM", "TIFF", "WEBP")
    np.testing.assert_allclose(made.images[:6], 100, atol=2)


def test_a_linked_class(tmp_path):
    save(tmp_path / "elsewhere" / "1.png")
    save(tmp_path / "data" / "a" / "1.png")
    (tmp_path / "data" / "b").symlink_to(tmp_path / "elsewhere")
    assert load(tmp_path / "data").classes == ("a", "b")


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_part_of_the_users_own(tmp_path, name):
    split_folder(tmp_path)
    for number, label in enumerate("ab"):
        save(tmp_path / name / label / "1.png", PIXELS + np.uint8(20 + number))
    assert f"1 folder ({name})" in image_folder.find_files(tmp_path).skipped
    made = load(tmp_path, part="train and validation")
    assert (made.user_validation_count, made.skipped) == (2, "")
    expected = [PIXELS + np.uint8(number) for number in (0, 1, 20, 21)]
    np.testing.assert_array_equal(made.images, expected)
    save(tmp_path / name / "c" / "1.png")
    words = rf"the class c is only in {name}; give train and {name} folders of the same names"
    with pytest.raises(UserError, match=words):
        load(tmp_path, part="train and validation")
    (tmp_path / "train" / "c").mkdir()
    save(tmp_path / "train" / "c" / "1.png")  # as the sentence says
    assert load(tmp_path, part="train and validation").user_validation_count == 3


def test_no_validation_part(tmp_path):
    split_folder(tmp_path)
    with pytest.raises(UserError, match=r"no validation part of its own; .*--division=by_class"):
        load(tmp_path, part="train and validation")
    with pytest.raises(UserError, match="digits has no validation part of its own"):
        images.load("digits", part="train and validation")


def test_parts_of_other_names(tmp_path):
    for part in ("Train", "Val"):
        save(tmp_path / part / "cat" / "1.png")
    words = "Train has no images .*the parts of a data set are called train, val and test: rename"
    with pytest.raises(UserError, match=words):
        load(tmp_path)
