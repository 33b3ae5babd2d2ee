"""The user's picture files, read by Pillow: every reader of a folder sees what is made here.

A picture is upright (as its EXIF mark says the camera was held), its transparent parts lie on
white, its colours have 8 bits each, and of an animation or of several pages it is the first one.
"""

import pathlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

# Suffixes that Pillow has registered for what it cannot decode by itself: scientific containers,
# films, and programs of PostScript.
_NO_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}
# What a file without a known suffix may be: formats whose first bytes say so beyond doubt.
_BY_CONTENT = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000")
_ORIENTATION = 0x0112  # the EXIF tag
_SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height
_LISTED = 8  # files in a sentence
_T = TypeVar("_T")


class Head(NamedTuple):
    """What the start of a picture file says.

    Attributes:
      grey: whether the picture is greyscale.
      size: its width and height, upright.
      kind: of the file, as Pillow names it.
    """

    grey: bool
    size: tuple[int, int]
    kind: str


def is_picture(path: pathlib.Path) -> bool:
    """Whether a file is a picture by its suffix, or by its content where the suffix is unknown.

    A damaged picture is one; reading it raises.
    """
    kinds = Image.registered_extensions()
    if (suffix := path.suffix.lower()) in kinds:
        kind = kinds[suffix]
        return kind in Image.OPEN and kind not in _NO_PICTURES
    try:
        with Image.open(path, formats=_BY_CONTENT):
            return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # the decoders raise exceptions of all kinds
        return False


def formats(paths: Sequence[pathlib.Path]) -> tuple[str, ...]:
    """The formats of files by their suffixes, as Pillow names them; of others nothing is said."""
    kinds = Image.registered_extensions()
    names = {kinds.get(path.suffix.lower(), "") for path in paths}
    return tuple(sorted(names - {""}))


def head(path: pathlib.Path) -> Head:
    """What the start of a file says; raises `UserError` where that is no picture's."""
    with _opened(path) as image:
        grey = _deep(image) or image.mode in ("1", "L", "LA")
        turned = _orientation(image) in _SIDEWAYS
        # Of several pictures in a JPEG (MPO) the first one is taken, a plain JPEG.
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        return Head(grey, image.size[::-1] if turned else image.size, kind)


def read(path: pathlib.Path, *, grey: bool) -> np.ndarray:
    """The pixels of a picture, uint8 `[height, width, channels]`.

    Args:
      path: of the file.
      grey: whether it is made greyscale, or RGB.

    Raises:
      UserError: the file is damaged, no picture, or too large.
    """
    with _opened(path) as opened:
        image = opened
        if _orientation(image) != 1:
            image = ImageOps.exif_transpose(image)
        if _deep(image):
            image = Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels.reshape(*pixels.shape[:2], -1)


def each(
    pool: ThreadPoolExecutor, function: Callable[[pathlib.Path], _T], paths: Sequence[pathlib.Path]
) -> Iterator[_T]:
    """What a function gives for each file, in their order.

    Args:
      pool: computes it.
      function: of a file.
      paths: of the files.

    Raises:
      UserError: the function refused files; all of them are in the sentence, at the end.
    """

    def tried(path: pathlib.Path) -> _T | UserError:
        try:
            return function(path)
        except UserError as error:
            return error

    refused = {}
    for path, result in zip(paths, pool.map(tried, paths), strict=True):
        if isinstance(result, UserError):
            refused[path] = result
        else:
            yield result
    if len(refused) == 1:
        raise next(iter(refused.values()))
    if refused:
        first, *others = refused
        names = [shown(f"{path.parent.name}/{path.name}") for path in others[:_LISTED]]
        listed = ", ".join(names) + " and others" * (len(others) > _LISTED)
        more = "1 more file" if len(others) == 1 else f"{len(others):,} more files"
        raise UserError(f"{refused[first]} It is the same with {more}: {listed}.")


@contextmanager
def _opened(path: pathlib.Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{path}: the image has more pixels than Pillow reads ({2 * Image.MAX_IMAGE_PIXELS:,});"
            " scale it down or remove it."
        ) from error
    except Exception as error:  # the decoders of damaged files raise exceptions of all kinds
        raise UserError(
            f"{path}: cannot read this image ({_reason(path, error)}); repair or remove it."
        ) from error


def _reason(path: pathlib.Path, error: Exception) -> str:
    """Why, in words: what decoders raise says little."""
    with suppress(OSError):
        if not path.stat().st_size:
            return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return "it is none, or its beginning is damaged"
    return f"{type(error).__name__}: it is damaged"


def _deep(image: Image.Image) -> bool:
    """Greyscale with 16 bits: Pillow itself makes 8 bits of all other kinds."""
    return image.mode.startswith("I")


def _orientation(image: Image.Image) -> int:
    """How the camera was held, 1 to 8; 1 is upright, and what a damaged mark counts for."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # exceptions of all kinds, as above
        return 1
    return value if value in range(1, 9) else 1
