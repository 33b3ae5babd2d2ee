"""One table of files for the three readers of pictures: in memory, streamed and served.

Lossless formats agree exactly. JPEG and lossy WebP do so too with this Pillow and TensorFlow, whose
decoders are of one family; 2 of 255 are allowed to them.
"""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_darts.data.images import folder as image_folder
from tf_darts.data.images import pictures
from tf_darts.data.images.sources import FileImages
from tf_darts.errors import UserError
from tf_darts.formats.picture_decoding import MAX_PIXELS, decode

LOSSY = 2
RANDOM = np.random.default_rng(0)
SMOOTH = np.asarray(
    Image.fromarray(RANDOM.integers(0, 256, (4, 5, 3)).astype(np.uint8)).resize((23, 17))
)
RGB, GREY = Image.fromarray(SMOOTH), Image.fromarray(SMOOTH[..., 0])
ALPHA = np.tile(np.linspace(0, 255, 23).astype(np.uint8), (17, 1))
GLASS = Image.fromarray(np.dstack([SMOOTH, ALPHA]))
OTHER = Image.fromarray(255 - SMOOTH)


def file(image, kind, **options):
    out = io.BytesIO()
    image.copy().save(out, kind, **options)  # an earlier way of saving stays with an image
    return out.getvalue()


def marked(orientation, kind="JPEG", words=False, big=False, **options):
    if words:
        xmp = (
            f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="{orientation}"/></x:xmpmeta>'
        )
        return file(RGB, kind, xmp=xmp.encode(), **options)
    exif = Image.Exif()
    exif.endian = ">" if big else "<"
    exif[0x010E], exif[0x0112] = "a picture", orientation
    return file(RGB, kind, exif=exif.tobytes(), **options)


def animation(kind, one=RGB, other=OTHER, **options):
    return file(one, kind, save_all=True, append_images=[other.copy()], **options)


def few_greys(bits, transparent=None):
    """A PNG of 1, 2 or 4 bits with all its greys; Pillow writes none but of 1."""

    def piece(name, content):
        end = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + end

    greys = np.arange(7 * 16).reshape(7, 16) % 2**bits
    digits = (greys[..., None] >> np.arange(bits)[::-1] & 1).reshape(7, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in digits)
    mark = b"" if transparent is None else piece(b"tRNS", struct.pack(">H", transparent))
    head = piece(b"IHDR", struct.pack(">IIBBBBB", 16, 7, bits, 0, 0, 0, 0))
    pixels = piece(b"IDAT", zlib.compress(rows)) + piece(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + mark + pixels


def gif_without(number):
    """A GIF of four colours, of which the one of a number, if there is such, is transparent."""
    content = bytearray(file(GREY.quantize(4), "GIF", transparency=1))
    content[content.index(b"\x21\xf9") + 6] = number
    return bytes(content)


BW = GREY.point(lambda value: 255 * (value > 120), "1")
DEEP = Image.fromarray(SMOOTH[..., 0].astype(np.uint16) * 200 + 77)
PALETTE = RGB.quantize(15)


def framed(opaque):
    """In the middle of a larger, transparent picture: animations keep what is inside alone."""
    larger = Image.new("RGBA", (40, 30))
    larger.paste(RGB if opaque else GLASS, (9, 5))
    return larger


# By name: the file, and how far pixels may differ.
ANSWERED = {
    "jpeg": (file(RGB, "JPEG", quality=90), LOSSY),
    "progressive jpeg": (file(RGB, "JPEG", progressive=True), LOSSY),
    "grey jpeg": (file(GREY, "JPEG"), LOSSY),
    "cmyk jpeg": (file(RGB.convert("CMYK"), "JPEG"), LOSSY),
    "two pictures in a jpeg": (animation("MPO"), LOSSY),
    "jpeg with more behind it": (file(RGB, "JPEG") + b"trailer", LOSSY),
    "png": (file(RGB, "PNG"), 0),
    "palette png": (file(PALETTE, "PNG"), 0),
    "grey png": (file(GREY, "PNG"), 0),
    "black and white png": (file(BW, "PNG"), 0),
    **{f"{bits} bit png": (few_greys(bits), 0) for bits in (1, 2, 4)},
    **{
        f"{bits} bit png without grey {grey}": (few_greys(bits, grey), 0)
        for bits in (1, 2, 4)
        for grey in (0, 1, 2**bits - 1, 17)
    },
    "16 bit png": (file(DEEP, "PNG"), 0),
    "transparent png": (file(GLASS, "PNG"), 0),
    "transparent grey png": (file(GLASS.convert("LA"), "PNG"), 0),
    "transparent palette png": (file(PALETTE, "PNG", transparency=3), 0),
    "animated png": (animation("PNG"), 0),
    "gif": (file(PALETTE, "GIF"), 0),
    "transparent gif": (file(PALETTE, "GIF", transparency=3), 0),
    **{f"gif without colour {n}": (gif_without(n), 0) for n in (0, 3, 4, 255)},
    "animated gif": (animation("GIF"), 0),
    "bmp": (file(RGB, "BMP"), 0),
    "grey bmp": (file(GREY, "BMP"), 0),
    "palette bmp": (file(PALETTE, "BMP"), 0),
    "32 bit bmp": (file(GLASS, "BMP"), 0),
    "webp": (file(RGB, "WEBP"), LOSSY),
    "lossless webp": (file(RGB, "WEBP", lossless=True), 0),
    "transparent webp": (file(GLASS, "WEBP"), LOSSY),
    "lossless transparent webp": (file(GLASS, "WEBP", lossless=True), 0),
    "animated webp": (animation("WEBP", lossless=True), 0),
    "animated transparent webp": (
        animation("WEBP", GLASS, OTHER.convert("RGBA"), lossless=True),
        0,
    ),
    **{
        f"animated webp of a part, {opaque=}": (
            animation("WEBP", framed(opaque), Image.new("RGBA", (40, 30)), lossless=True),
            0,
        )
        for opaque in (True, False)
    },
    "one pixel": (file(RGB.crop((0, 0, 1, 1)), "PNG"), 0),
    **{f"held {way}": (marked(way), LOSSY) for way in range(1, 9)},
    **{f"held {way}, big": (marked(way, big=True), LOSSY) for way in (3, 6)},
    **{f"held {way}, png": (marked(way, "PNG"), 0) for way in (2, 6)},
    **{f"held {way}, webp": (marked(way, "WEBP", lossless=True), 0) for way in (5, 8)},
    "held 6 by its words": (marked(6, words=True), LOSSY),
    "held 9 is upright": (marked(9), LOSSY),
}
# What the readers of folders read, and a graph cannot.
OF_FOLDERS = {
    "tiff": file(RGB, "TIFF"),
    "two pages": animation("TIFF"),
    "black and white bmp": file(BW, "BMP"),
    "ppm": file(RGB, "PPM"),
}
_PART = animation("WEBP", framed(True), Image.new("RGBA", (40, 30)), lossless=True)
OUTSIDE = _PART[:24] + bytes(6) + _PART[30:]  # of one pixel, it says
# With a word of the served model's refusal.
REFUSED = {
    "empty": (b"", "is no picture"),
    "html": (b"<!DOCTYPE html><html>404</html>", "is no picture"),
    "half a jpeg": (file(RGB, "JPEG")[:-200], "is cut off"),
    "half a png": (file(RGB, "PNG")[:-100], "is cut off"),
    "half a gif": (file(PALETTE, "GIF")[:-60], "is cut off"),
    "half a bmp": (file(RGB, "BMP")[:-60], "is cut off"),
    "an animated webp whose picture is not inside": (OUTSIDE, "is of a variety"),
    "half a webp": (file(RGB, "WEBP")[:-60], "is cut off"),
    "only a beginning": (b"\xff\xd8\xff\xe0", "is cut off"),
}


@pytest.fixture(scope="module", params=[3, 1])
def served(request):
    """The served reader for RGB or grey, traced once as an export traces it."""
    channels = request.param
    traced = tf.function(lambda f, number: decode(f, channels, number), autograph=False)
    function = traced.get_concrete_function(
        tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32)
    )
    return channels, lambda content: function(tf.constant(content), tf.constant(7)).numpy()


def in_memory(path, channels):
    return pictures.read(path, grey=channels == 1)


def streamed(path):
    images = FileImages([str(path)], np.zeros(1, np.int32))
    try:
        ((pixels, _),) = images.ordered()
    except tf.errors.OpError:
        raise images.failure from None
    return pixels.numpy()


@pytest.mark.parametrize("name", ANSWERED)
def test_all_three_see_the_same(name, served, tmp_path):
    content, tolerance = ANSWERED[name]
    path = tmp_path / "picture.jpg"  # what a file is stands in it, not in its name
    path.write_bytes(content)
    channels, ask = served
    expected, found = in_memory(path, channels), ask(content)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= tolerance
    if channels == 3:
        np.testing.assert_array_equal(streamed(path), expected)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_greys_lie_on_white(bits, served):
    """The darkest one is transparent."""
    _, ask = served
    plain, white = ask(few_greys(bits)), ask(few_greys(bits, 0))
    assert plain.min() == 0
    np.testing.assert_array_equal(white, np.where(plain == 0, 255, plain))


def test_the_table_turns_and_whitens(tmp_path):
    """The readers do not agree because none does anything."""
    path = tmp_path / "1"
    path.write_bytes(marked(6, "PNG"))
    np.testing.assert_array_equal(in_memory(path, 3), np.rot90(SMOOTH, -1))
    path.write_bytes(ANSWERED["transparent png"][0])
    assert (in_memory(path, 3)[:, 0] == 255).all()
    path.write_bytes(ANSWERED["animated gif"][0])
    assert np.abs(in_memory(path, 3).astype(int) - SMOOTH).mean() < 20


@pytest.mark.parametrize("name", OF_FOLDERS)
def test_what_only_folders_may_hold(name, served, tmp_path):
    path = tmp_path / "1"
    path.write_bytes(OF_FOLDERS[name])
    if served[0] == 3:
        np.testing.assert_array_equal(streamed(path), in_memory(path, 3))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"image_bytes\[7\] is .*; send a JPEG"
    ):
        served[1](OF_FOLDERS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_all_three_refuse_the_same(name, served, tmp_path):
    content, words = REFUSED[name]
    path = tmp_path / "picture.jpg"
    path.write_bytes(content)
    sentence = rf"^{path}: cannot read this image \([^)]+\); repair or remove it\.$"
    with pytest.raises(UserError, match=sentence):
        in_memory(path, served[0])
    with pytest.raises(UserError, match=sentence):
        streamed(path)
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"image_bytes\[7\] {words}.*; send"):
        served[1](content)


def test_a_picture_of_too_many_pixels(served, tmp_path, monkeypatch):
    head = bytearray(file(RGB, "PNG"))
    head[16:24] = (20_000).to_bytes(4, "big") * 2
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"more than {MAX_PIXELS:,}; send a"):
        served[1](bytes(head))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = tmp_path / "1.png"
    RGB.save(path)
    for read in (lambda: in_memory(path, 3), lambda: streamed(path)):
        with pytest.raises(UserError, match=r"more pixels than Pillow reads \(200\); scale"):
            read()


@pytest.mark.parametrize("case", ["V28_pictures"])
def test_files_of_public_reports(case, served, shared, tmp_path):
    import tarfile

    archive = shared / "cases" / f"{case}.tar.gz"
    if not archive.exists():
        pytest.skip(f"no {archive.name} among the cases")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    for path in sorted(tmp_path.rglob("*.*")):
        try:
            expected = in_memory(path, served[0])
        except UserError:
            expected = None
        if expected is None or path.suffix == ".tif":
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[7\]"):
                served[1](path.read_bytes())
        else:
            found = served[1](path.read_bytes())
            assert np.abs(found.astype(int) - expected).max() <= LOSSY, path.name


def test_the_loader_of_a_folder_is_this_reader(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.JPG").write_bytes(marked(6))
    made = image_folder.load(tmp_path, 0)
    np.testing.assert_array_equal(made.images[0], in_memory(tmp_path / "a" / "1.JPG", 3))
    assert made.formats == ("JPEG",)
