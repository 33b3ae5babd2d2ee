"""Picture files in a TensorFlow graph: what they are, whether they are whole, how they are held.

`layout` reads the marks of a JPEG, PNG, GIF, BMP or WebP file without decoding it. All numbers are
int64 scalars, positions are counted in bytes.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

KINDS = ("JPEG", "PNG", "GIF", "BMP", "WebP")
_UNKNOWN_KIND = len(KINDS)  # neither
_ORIENTATION = 0x0112  # the EXIF tag
_LARGEST_HEAD = 1 << 16  # bytes in which the marks of an editor are looked for


class Layout(NamedTuple):
    """What the marks of a file say.

    Attributes:
      size: height and width before turning, `[2]`.
      complete: whether the file goes on to its end, bool.
      decodable: whether its variety can be decoded, bool.
      orientation: of the EXIF mark, 1 to 8; 1 is upright.
    """

    size: tf.Tensor
    complete: tf.Tensor
    decodable: tf.Tensor
    orientation: tf.Tensor


class Bytes:
    """The bytes of a file, which are 0 beyond its end.

    Attributes:
      length: how many there are.
    """

    def __init__(self, file: tf.Tensor) -> None:
        self.file = file
        self._values = tf.concat([tf.io.decode_raw(file, tf.uint8), tf.zeros([16], tf.uint8)], 0)
        self.length = tf.strings.length(file, "BYTE")
        self.length = tf.cast(self.length, tf.int64)

    def number(self, at: tf.Tensor | int, count: int, big: tf.Tensor | bool = False) -> tf.Tensor:
        """The number of `count` bytes there, at positions of any shape."""
        at = tf.convert_to_tensor(at, tf.int64)
        places = at[..., tf.newaxis] + tf.range(count, dtype=tf.int64)
        inside = (places >= 0) & (places < self.length)
        values = tf.cast(tf.gather(self._values, tf.where(inside, places, self.length)), tf.int64)
        powers = [1 << (8 * place) for place in range(count)]
        little, large = (tf.constant(each, tf.int64) for each in (powers, powers[::-1]))
        return tf.reduce_sum(values * tf.where(big, large, little), -1)

    def begins(self, at: tf.Tensor | int, pattern: bytes) -> tf.Tensor:
        """Whether `pattern` stands there."""
        return tf.equal(self.number(at, len(pattern)), int.from_bytes(pattern, "little"))

    def after(self, start: tf.Tensor) -> tf.Tensor:
        """The bytes from a position on, uint8."""
        return self._values[start : self.length]


def kind_of(data: Bytes) -> tf.Tensor:
    """The place in `KINDS`, or the number behind it; int32."""
    matches = (
        data.begins(0, b"\xff\xd8\xff"),
        data.begins(0, b"\x89PNG\r\n\x1a\n"),
        data.begins(0, b"GIF87a") | data.begins(0, b"GIF89a"),
        data.begins(0, b"BM"),
        data.begins(0, b"RIFF") & data.begins(8, b"WEBP"),
    )
    kind = tf.constant(_UNKNOWN_KIND)
    for place, match in enumerate(matches):
        kind = tf.where(match, place, kind)
    return kind


def layout(data: Bytes, kind: tf.Tensor) -> Layout:
    """What the marks say; of a file of no kind nothing is known."""
    kinds = (_jpeg, _png, _gif, _bmp, _webp)
    branches = [lambda read_kind=read_kind: tuple(read_kind(data)) for read_kind in kinds]
    return Layout(*tf.switch_case(kind, branches, lambda: tuple(_nothing())))


def _nothing() -> Layout:
    no = tf.constant(False)
    return Layout(tf.zeros([2], tf.int64), no, no, tf.constant(1, tf.int64))


def _walk(
    start: int | tf.Tensor,
    length: tf.Tensor,
    step: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Goes through the pieces of a file.

    Args:
      start: where the first one is.
      length: of the file.
      step: from where a piece is to where the next one is (which is further on), to where EXIF
        begins in it (or -1), and whether it is the last one.

    Returns:
      Where the last piece is, or -1 where the file ends before it; and where EXIF begins, or -1.
    """

    def body(at: tf.Tensor, exif: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, ...]:
        onward, piece_exif, last = step(at)
        return tf.where(last, at, onward), tf.where(exif < 0, piece_exif, exif), last

    absent = tf.constant(-1, tf.int64)
    at, exif, last = tf.while_loop(
        lambda at, exif, last: ~last & (at < length),
        body,
        (tf.cast(start, tf.int64), absent, tf.constant(False)),
        parallel_iterations=1,
    )
    return tf.where(last, at, absent), exif


def _jpeg(data: Bytes) -> Layout:
    def step(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        marker = data.number(at + 1, 1)
        filling = tf.equal(marker, 0xFF)
        without_length = (marker >= 0xD0) & (marker <= 0xD8) | tf.equal(marker, 1)
        fill_size, marker_size = tf.constant(1, tf.int64), tf.constant(2, tf.int64)
        length = tf.where(without_length, marker_size, 2 + data.number(at + 2, 2, True))
        onward = at + tf.where(filling, fill_size, length)
        exif = tf.equal(marker, 0xE1) & data.begins(at + 4, b"Exif\0\0")
        # The picture itself, or what is no marker: then the file is broken.
        last = tf.equal(marker, 0xDA) | ~tf.equal(data.number(at, 1), 0xFF)
        return onward, tf.where(exif, at + 10, -1), last

    picture, exif = _walk(2, data.length, step)
    scan = data.after(tf.maximum(picture, 0))
    ends = tf.reduce_any(tf.equal(scan[:-1], 0xFF) & tf.equal(scan[1:], 0xD9))
    complete = (picture >= 0) & data.begins(picture, b"\xff\xda") & ends
    size = tf.cond(
        complete,
        lambda: tf.cast(tf.image.extract_jpeg_shape(data.file)[:2], tf.int64),
        lambda: tf.zeros([2], tf.int64),
    )
    return Layout(size, complete, tf.constant(True), _orientation(data, exif))


def _png(data: Bytes) -> Layout:
    def step(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        onward = at + 12 + data.number(at, 4, True)
        exif = data.begins(at + 4, b"eXIf")
        return onward, tf.where(exif, at + 8, -1), data.begins(at + 4, b"IEND")

    end, exif = _walk(8, data.length, step)
    size = tf.stack([data.number(20, 4, True), data.number(16, 4, True)])
    return Layout(size, end >= 0, tf.constant(True), _orientation(data, exif))


def png_transparent(data: Bytes) -> tf.Tensor:
    """The grey of a PNG file that is transparent, as the file has it; -1 without one."""

    def step(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        mark = tf.where(data.begins(at + 4, b"tRNS"), at + 8, -1)
        last = data.begins(at + 4, b"IDAT") | data.begins(at + 4, b"IEND")
        return at + 12 + data.number(at, 4, True), mark, last

    _, mark = _walk(8, data.length, step)
    return tf.where(mark < 0, mark, data.number(mark, 2, True))


class Gif(NamedTuple):
    """Where things are in a GIF file.

    Attributes:
      frame: the description of the first picture, or -1.
      control: what says how it is shown, or -1.
    """

    frame: tf.Tensor
    control: tf.Tensor


def gif_frame(data: Bytes) -> Gif:
    """Finds the first picture of a GIF file."""
    start = 13 + colours(data.number(10, 1))

    def step(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        control = data.begins(at, b"\x21\xf9")
        return _blocks(data, at + 2), tf.where(control, at, -1), data.begins(at, b"\x2c")

    return Gif(*_walk(start, data.length, step))


def colours(flags: tf.Tensor) -> tf.Tensor:
    """The bytes of a table of colours, of which flags tell."""
    size = tf.bitwise.left_shift(tf.constant(6, tf.int64), tf.bitwise.bitwise_and(flags, 7))
    return tf.where(flags >= 128, size, 0)


def _blocks(data: Bytes, at: tf.Tensor) -> tf.Tensor:
    """Behind the blocks there, each of which begins with its length; the last one is empty."""
    at = tf.while_loop(
        lambda at: (data.number(at, 1) > 0) & (at < data.length),
        lambda at: (at + 1 + data.number(at, 1),),
        (at,),
        parallel_iterations=1,
    )[0]
    return at + 1


def _gif(data: Bytes) -> Layout:
    gif = gif_frame(data)
    frame = tf.maximum(gif.frame, 0)
    pixels = frame + 11 + colours(data.number(frame + 9, 1))
    complete = (gif.frame >= 0) & (_blocks(data, pixels) <= data.length)
    size = tf.stack([data.number(8, 2), data.number(6, 2)])
    # What is around a smaller picture is filled differently by all who read it.
    covers = tf.equal(data.number(frame + 1, 4), 0) & tf.reduce_all(
        tf.equal(data.number(tf.stack([frame + 7, frame + 5]), 2), size)
    )
    return Layout(size, complete, covers, tf.constant(1, tf.int64))


def _bmp(data: Bytes) -> Layout:
    signed = data.number(22, 4)
    height = tf.where(signed >= 1 << 31, (1 << 32) - signed, signed)  # negative: from the top
    size = tf.stack([height, data.number(18, 4)])
    bits = data.number(28, 2)
    decodable = (
        (data.number(14, 4) >= 40)
        & tf.equal(data.number(30, 4), 0)
        & (tf.equal(bits, 8) | tf.equal(bits, 24) | tf.equal(bits, 32))
    )
    row = (bits * size[1] + 31) // 32 * 4
    complete = data.number(10, 4) + row * height <= data.length
    return Layout(size, complete, decodable, tf.constant(1, tf.int64))


def webp_flag(data: Bytes, flag: int) -> tf.Tensor:
    """Whether a WebP file says so of itself: 2 that it is animated, 16 that it is transparent."""
    return data.begins(12, b"VP8X") & tf.equal(data.number(20, 1) // flag % 2, 1)


def webp_frame(data: Bytes) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Finds the first picture of an animated WebP file.

    Returns:
      Where it is, or the file's length; the rows above and the columns left of it, `[2]`; its
      height and width, `[2]`.
    """
    at = tf.while_loop(
        lambda at: ~data.begins(at, b"ANMF") & (at < data.length),
        lambda at: (at + 8 + data.number(at + 4, 4) + data.number(at + 4, 4) % 2,),
        (tf.constant(12, tf.int64),),
        parallel_iterations=1,
    )[0]
    corner = 2 * data.number(tf.stack([at + 11, at + 8]), 3)
    return at, corner, 1 + data.number(tf.stack([at + 17, at + 14]), 3)


def _webp(data: Bytes) -> Layout:
    def step(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length = data.number(at + 4, 4)
        exif = data.begins(at, b"EXIF")
        start = tf.where(data.begins(at + 8, b"Exif\0\0"), at + 14, at + 8)
        onward = at + 8 + length + length % 2
        return onward, tf.where(exif, start, -1), onward >= 8 + data.number(4, 4)

    end, exif = _walk(12, data.length, step)
    complete = (end >= 0) & (8 + data.number(4, 4) <= data.length)
    bits = data.number(21, 4)
    sizes = {  # by the first piece
        b"VP8X": (1 + data.number(27, 3), 1 + data.number(24, 3)),
        b"VP8L": (1 + bits // (1 << 14) % (1 << 14), 1 + bits % (1 << 14)),
        b"VP8 ": (data.number(28, 2) % (1 << 14), data.number(26, 2) % (1 << 14)),
    }
    size, decodable = tf.zeros([2], tf.int64), tf.constant(False)
    for name, sides in sizes.items():
        matches = data.begins(12, name)
        size, decodable = tf.where(matches, tf.stack(sides), size), decodable | matches
    at, corner, sides = webp_frame(data)
    inside = (at < data.length) & tf.reduce_all(corner + sides <= size)
    decodable &= inside | ~webp_flag(data, 2)
    return Layout(size, complete, decodable, _orientation(data, exif))


def _orientation(data: Bytes, exif: tf.Tensor) -> tf.Tensor:
    """How the camera was held, 1 to 8, by EXIF that begins at a position; else by its words.

    The words are those of an editor (XMP); EXIF goes before them.
    """
    big = data.begins(exif, b"MM")
    start = exif + data.number(exif + 4, 4, big)
    count = data.number(start, 2, big)
    entries = start + 2 + 12 * tf.range(tf.minimum(count, 1000))
    tags = data.number(entries, 2, big)
    marked = tf.boolean_mask(entries, tf.equal(tags, _ORIENTATION))
    has_tag = (exif >= 0) & (tf.size(marked) > 0)
    entry = tf.reduce_min(tf.concat([marked, [data.length]], 0))
    long = tf.equal(data.number(entry + 2, 2, big), 4)
    value = tf.where(long, data.number(entry + 8, 4, big), data.number(entry + 8, 2, big))
    head = tf.strings.substr(data.file, 0, _LARGEST_HEAD)
    words = tf.strings.regex_replace(head, r'\C*?tiff:Orientation(?:="|>)([0-9])\C*', r"\1")
    words = tf.where(tf.strings.regex_full_match(words, "[0-9]"), words, "1")
    xmp_value = tf.strings.to_number(words, tf.int64)
    value = tf.where(has_tag, value, xmp_value)
    return tf.where((value >= 1) & (value <= 8), value, 1)
