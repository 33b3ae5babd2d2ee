"""The user's own images: a folder for each class."""

import functools
import pathlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from tf_darts.data.fingerprint import digests_of_files
from tf_darts.data.image_set import ImageSet, allocate, differing_sizes, square
from tf_darts.errors import UserError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


class ImageFiles(NamedTuple):
    """The image files of one part of a folder.

    Attributes:
      paths: the files, class by class.
      labels: the numbers of their classes, int32 `[files]`.
      classes: the names of the classes.
    """

    paths: list[pathlib.Path]
    labels: np.ndarray
    classes: tuple[str, ...]


def load(data_dir: pathlib.Path | None, image_size: int, part: str = "train") -> ImageSet:
    """Reads the images of `find_files`.

    Transparent images are laid on white; colours become 8 bits each; of an animation the first
    picture is taken. All images are RGB, unless all are greyscale: then they have one channel.
    The test images are made RGB or greyscale as the training images are.

    Args:
      data_dir: the directory with the classes.
      image_size: pixels of a side; 0 keeps the size, which must then be one and the same.
      part: `train` or `test`.

    Raises:
      UserError: as `find_files`, or an image is unreadable or of another size than the rest, or
        all together are too large.
    """
    paths, labels, classes = find_files(data_dir, part)
    source = str(data_dir)
    with ThreadPoolExecutor() as pool:
        greys, sizes = zip(*pool.map(_head, paths), strict=True)
        if part == "test":
            # Only the starts of the training files, as they say how the network sees pictures.
            greys, _ = zip(*pool.map(_head, find_files(data_dir).paths), strict=True)
        if not image_size and len(set(sizes)) > 1:
            raise differing_sizes(source)
        width, height = (image_size, image_size) if image_size else sizes[0]
        images = allocate(source, len(paths), (height, width, 1 if all(greys) else 3))
        read = functools.partial(_read, grey=all(greys), image_size=image_size)
        for number, pixels in enumerate(pool.map(read, paths)):
            if pixels.shape != images.shape[1:]:  # a photograph marked as lying on its side
                raise differing_sizes(source)
            images[number] = pixels
    return ImageSet("folder", images, labels, classes, digests_of_files(paths))


def find_files(data_dir: pathlib.Path | None, part: str = "train") -> ImageFiles:
    """The files `DIR/<class>/*`, or `DIR/train/<class>/*` where there are such, or the test's.

    Classes and files are in the order of their names. The test files are
    `DIR/test/<class>/*`, for the same classes as in `DIR/train`; nobody looks at them for `train`.

    Args:
      data_dir: the directory with the classes.
      part: `train` or `test`.

    Raises:
      UserError: there are no two classes with images, or no test part, or it has other classes.
    """
    if data_dir is None:
        raise UserError(
            "--dataset=folder needs --data_dir=DIR, a directory with a folder of images for each"
            " class."
        )
    # A `train` without folders in it is itself a class: pictures of trains.
    split = _has_folders(data_dir / "train")
    if part == "test" and not (split and _has_folders(data_dir / "test")):
        raise UserError(
            f"{data_dir} has no images set aside for the test; make it"
            f" {data_dir / 'train'}/CLASS and {data_dir / 'test'}/CLASS, a folder of images for"
            " each class in both."
        )
    found = _find(data_dir / part if split else data_dir)
    if part == "test":
        names = {folder.name for folder in _folders(data_dir / "train")}
        if differing := sorted(names ^ found.keys()):
            raise UserError(
                f"{data_dir}: the class {differing[0]} is only in"
                f" {'train' if differing[0] in names else 'test'}; give train and test folders of"
                " the same names."
            )
    labels = np.repeat(np.arange(len(found)), [len(files) for files in found.values()])
    paths = [path for files in found.values() for path in files]
    return ImageFiles(paths, labels.astype(np.int32), tuple(found))


def _has_folders(root: pathlib.Path) -> bool:
    return root.is_dir() and any(path.is_dir() for path in root.iterdir())


def _folders(root: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not _hidden(path)]


def _find(root: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """The image files of each class."""
    folders = _folders(root)
    if len(folders) < 2:
        have = f"only {folders[0].name}" if folders else "none"
        raise UserError(
            f"{root} must have a folder of images for each of two or more classes, but it has"
            f" {have}; put the images of each class in a folder of its own there."
        )
    classes = {
        folder.name: [
            path
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in _SUFFIXES and path.is_file() and not _hidden(path)
        ]
        for folder in folders
    }
    for name, files in classes.items():
        if not files:
            raise UserError(
                f"{root / name} has no images ({', '.join(_SUFFIXES)}); put the class's images"
                " there, or remove the folder."
            )
    return classes


def _hidden(path: pathlib.Path) -> bool:
    return path.name.startswith(".")


@contextmanager
def _opened(path: pathlib.Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except Exception as error:  # the decoders of damaged files raise exceptions of all kinds
        raise UserError(
            f"{path}: cannot read this image ({type(error).__name__}); repair or remove it."
        ) from error


def _head(path: pathlib.Path) -> tuple[bool, tuple[int, int]]:
    """Whether an image is greyscale, and its width and height, from the start of the file."""
    with _opened(path) as image:
        return _deep(image) or image.mode in ("1", "L", "LA"), image.size


def _deep(image: Image.Image) -> bool:
    """Greyscale with 16 bits: Pillow itself makes 8 bits of all other kinds."""
    return image.mode.startswith("I")


def _read(path: pathlib.Path, grey: bool, image_size: int) -> np.ndarray:
    """The pixels, uint8 `[height, width, channels]`."""
    with _opened(path) as opened:
        image = ImageOps.exif_transpose(opened)  # as the photographer held the camera
        if _deep(image):
            image = Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        pixels = np.asarray(image.convert("L" if grey else "RGB"))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return square(pixels, image_size).numpy() if image_size else pixels
