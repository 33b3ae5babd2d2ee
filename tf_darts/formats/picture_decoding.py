"""Picture files to pixels in a TensorFlow graph, as `data.pictures` makes them of a folder's files.

A picture is upright, its transparent parts lie on white, its colours have 8 bits each, and of an
animation it is the first one. What cannot be decoded so is refused with a sentence.
"""

import tensorflow as tf

from tf_darts.formats import picture_files
from tf_darts.formats.picture_files import KINDS, Bytes

MAX_PIXELS = 1 << 26  # of a file that is decoded: a request must not exhaust the memory
TAKES = (
    "JPEG, PNG, GIF, BMP (8, 24 or 32 bits, not compressed) and WebP files of up to"
    f" {MAX_PIXELS:,} pixels; of an animation the first picture"
)


def decode(file: tf.Tensor, channels: int, number: tf.Tensor | int = 0) -> tf.Tensor:
    """The pixels of a picture file, uint8 [h, w, channels].

    The first one that is not right raises `InvalidArgumentError` with a sentence.

    Args:
      file: its bytes, scalar string.
      channels: 1 (greyscale) or 3.
      number: its place among others, for the sentence.
    """
    data = Bytes(file)
    kind = picture_files.kind_of(data)
    layout = picture_files.layout(data, kind)
    pixels = layout.size[0] * layout.size[1]
    sides = (layout.size >= 1) & (layout.size <= MAX_PIXELS)
    takes = "send a JPEG, PNG, GIF, BMP or WebP file"
    faults = [
        (kind >= len(KINDS), f"is no picture that this model can read; {takes}."),
        (~layout.complete, "is cut off or damaged; send the whole file."),
        (
            ~layout.decodable,
            f"is of a variety that this model cannot read; {takes} of the usual kind.",
        ),
        (
            ~tf.reduce_all(sides) | (pixels > MAX_PIXELS),
            f"has no pixels or more than {MAX_PIXELS:,}; send a smaller picture.",
        ),
    ]
    refused, sentence = tf.constant(False), tf.constant("")
    for fault, words in reversed(faults):
        refused, sentence = refused | fault, tf.where(fault, words, sentence)
    name = tf.strings.join(["image_bytes[", tf.strings.as_string(number), "] "])
    # The decoders must not see what they were not made for, so they are in a branch of their own.
    image = tf.cond(
        refused,
        lambda: _refused(tf.strings.join([name, sentence]), channels),
        lambda: _coloured(data, kind, channels),
    )
    turned = _upright(image, tf.cast(layout.orientation, tf.int32))
    return tf.ensure_shape(turned, [None, None, channels])


def _refused(sentence: tf.Tensor, channels: int) -> tf.Tensor:
    check = tf.debugging.Assert(tf.constant(False), [sentence], summarize=1)
    with tf.control_dependencies([] if check is None else [check]):
        return tf.zeros([1, 1, channels], tf.uint8)


def _coloured(data: Bytes, kind: tf.Tensor, channels: int) -> tf.Tensor:
    kinds = (_jpeg, _png, _gif, _bmp, _webp)
    colours = tf.switch_case(
        kind, [lambda decode_kind=decode_kind: decode_kind(data) for decode_kind in kinds]
    )
    if channels == 3:
        return colours
    # Pillow's greyscale: the same weights as everybody's, in 16 bits.
    weighted = tf.cast(colours, tf.int32) * [19595, 38470, 7471]
    grey = tf.bitwise.right_shift(tf.reduce_sum(weighted, -1, keepdims=True) + 0x8000, 16)
    return tf.cast(grey, tf.uint8)


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """The picture as the camera was held; see `Layout.orientation`."""

    def turned(transposed: bool, upside_down: bool, mirrored: bool) -> tf.Tensor:
        rotated = tf.transpose(image, [1, 0, 2]) if transposed else image
        axes = [axis for axis, flipped in enumerate((upside_down, mirrored)) if flipped]
        return tf.reverse(rotated, axes) if axes else rotated

    turns = [  # of 1 to 8
        (False, False, False),
        (False, False, True),
        (False, True, True),
        (False, True, False),
        (True, False, False),
        (True, False, True),
        (True, True, True),
        (True, True, False),
    ]
    return tf.switch_case(orientation - 1, [lambda turn=turn: turned(*turn) for turn in turns])


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """RGBA pixels laid on white, uint8 [h, w, 3], rounded as Pillow rounds."""
    opaque = tf.cast(pixels[..., 3:], tf.int32)
    mixed = (tf.cast(pixels[..., :3], tf.int32) * opaque + 255 * (255 - opaque)) * 128 + (128 << 7)
    shifted = tf.bitwise.right_shift(mixed, 8) + mixed
    return tf.cast(tf.bitwise.right_shift(shifted, 15), tf.uint8)


def _jpeg(data: Bytes) -> tf.Tensor:
    return tf.io.decode_jpeg(data.file, channels=3, dct_method="INTEGER_ACCURATE")


def _png(data: Bytes) -> tf.Tensor:
    depth, colours = data.number(24, 1), data.number(25, 1)

    def deep() -> tf.Tensor:
        pixels = tf.io.decode_png(data.file, channels=1, dtype=tf.uint16)
        grey = tf.cast(tf.round(tf.cast(pixels, tf.float32) / 257), tf.uint8)
        return tf.tile(grey, [1, 1, 3])

    def shallow() -> tf.Tensor:
        # With four channels, black and white of 1 bit would be 0 and 1.
        grey = tf.io.decode_png(data.file, channels=1)
        # Pillow compares the mark of 2 and 4 bits with the grey of 8, and so do folders' readers.
        mark = picture_files.png_transparent(data)
        mark = tf.where(tf.equal(depth, 1), tf.minimum(mark, 1) * 255, mark)
        white = tf.equal(tf.cast(grey, tf.int64), mark)
        return tf.tile(tf.where(white, tf.constant(255, tf.uint8), grey), [1, 1, 3])

    def palette() -> tf.Tensor:
        # With four channels, palettes of less than 8 bits would be mistaken for their numbers.
        pixels = tf.io.decode_png(data.file)
        opaque = tf.equal(tf.shape(pixels)[-1], 3)
        return tf.cond(opaque, lambda: pixels[..., :3], lambda: _on_white(pixels))

    grey = tf.equal(colours, 0)
    cases = [(grey & (depth > 8), deep), (grey & (depth < 8), shallow)]
    cases.append((tf.equal(colours, 3), palette))
    return tf.case(cases, default=lambda: _on_white(tf.io.decode_png(data.file, channels=4)))


def _gif(data: Bytes) -> tf.Tensor:
    gif = picture_files.gif_frame(data)
    frame, control = gif.frame, tf.maximum(gif.control, 0)
    flags, local_flags = data.number(control + 3, 1), data.number(frame + 9, 1)
    local = local_flags >= 128
    table_size = picture_files.colours(tf.where(local, local_flags, data.number(10, 1)))
    place = 3 * data.number(control + 6, 1)
    # A number beyond the table is no pixel's, and what stands there is no colour.
    transparent = (gif.control >= 0) & tf.equal(flags % 2, 1) & (place < table_size)
    colour = tf.where(local, frame + 10, 13) + place

    def white() -> tf.Tensor:
        # TensorFlow makes transparent parts black. With the mark taken away they have the colour
        # of their number, which is set to white.
        unmarked = _replaced(data.file, control + 3, _byte(flags - flags % 2))
        return _replaced(unmarked, colour, tf.constant(b"\xff\xff\xff"))

    file = tf.cond(transparent, white, lambda: data.file)
    return tf.image.decode_image(file, channels=3, expand_animations=False)


def _byte(value: tf.Tensor) -> tf.Tensor:
    return tf.gather(tf.constant([bytes([number]) for number in range(256)]), value)


def _replaced(file: tf.Tensor, position: tf.Tensor, replacement: tf.Tensor) -> tf.Tensor:
    """A file with other bytes at a position."""
    behind = position + tf.cast(tf.strings.length(replacement), tf.int64)
    return tf.strings.join([_part(file, 0, position), replacement, _part(file, behind, None)])


def _part(file: tf.Tensor, start: tf.Tensor | int, end: tf.Tensor | None) -> tf.Tensor:
    length = tf.cast(tf.strings.length(file), tf.int64)
    start = tf.cast(start, tf.int64)
    return tf.strings.substr(file, start, (length if end is None else end) - start)


def _bmp(data: Bytes) -> tf.Tensor:
    bits = data.number(28, 2)

    def numbered() -> tf.Tensor:
        start = 14 + data.number(14, 4)
        colours = tf.io.decode_raw(_part(data.file, start, data.number(10, 4)), tf.uint8)
        colours = tf.reshape(colours[: tf.size(colours) // 4 * 4], [-1, 4])[:, 2::-1]
        numbers = tf.cast(tf.io.decode_bmp(data.file)[..., 0], tf.int32)
        # Numbers beyond the table are black.
        colours = tf.pad(colours, [[0, tf.maximum(256 - tf.shape(colours)[0], 0)], [0, 0]])
        return tf.gather(colours, numbers)

    return tf.case(
        [
            (tf.equal(bits, 8), numbered),
            (tf.equal(bits, 24), lambda: tf.io.decode_bmp(data.file, channels=3)),
        ],
        default=lambda: tf.io.decode_bmp(data.file, channels=4)[..., :3],
    )


def _webp(data: Bytes) -> tf.Tensor:
    frame, corner, _ = picture_files.webp_frame(data)
    animated = picture_files.webp_flag(data, 2)
    transparent = picture_files.webp_flag(data, 16)

    def first_frame_file() -> tf.Tensor:
        """The first picture of an animation as a file of its own."""
        body = _part(data.file, frame + 24, frame + 8 + data.number(frame + 4, 4))
        sides = _part(data.file, frame + 14, frame + 20)
        flags = tf.where(transparent, b"\x10\0\0\0", b"\0\0\0\0")
        body = tf.strings.join([b"WEBPVP8X\x0a\0\0\0", flags, sides, body])
        length = tf.cast(tf.strings.length(body), tf.int64)
        sizes = [_byte(length // (1 << shift) % 256) for shift in (0, 8, 16, 24)]
        return tf.strings.join([b"RIFF", *sizes, body])

    def decoded(channels: int) -> tf.Tensor:
        """The picture; of an animation in its place, with zeros around it, as Pillow has it."""
        picture = tf.io.decode_webp(file, channels=channels)[0]
        size = tf.stack([1 + data.number(27, 3), 1 + data.number(24, 3)])
        behind = size - corner - tf.shape(picture, tf.int64)[:2]
        margins = tf.where(animated, tf.stack([corner, behind], axis=1), 0)
        return tf.pad(picture, tf.concat([margins, tf.zeros([1, 2], tf.int64)], axis=0))

    # TensorFlow's decoder ends the whole process at an animation of the wrong channels.
    file = tf.cond(animated, first_frame_file, lambda: data.file)
    lossless_alpha = data.begins(12, b"VP8L") & tf.equal(data.number(24, 1) // 16 % 2, 1)
    return tf.cond(transparent | lossless_alpha, lambda: _on_white(decoded(4)), lambda: decoded(3))
