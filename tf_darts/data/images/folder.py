"""The user's own images: a folder for each class."""

import collections
import functools
import pathlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from absl import logging

from tf_darts.data.fingerprint import digests_of_files
from tf_darts.data.images import pictures
from tf_darts.data.images.folder_parts import (
    VALIDATION_FOLDERS,
    class_folders,
    has_test_part,
    is_split,
    validation_folder,
)
from tf_darts.data.images.image_set import ImageSet, allocate, differing_sizes, square
from tf_darts.errors import UserError, enumerated
from tf_darts.runtime import files

TRAIN_AND_VALIDATION = "train and validation"
_PARTS = ("train", "training", "test", "testing", *VALIDATION_FOLDERS)  # as people name them
_LISTED = 8  # classes in a sentence
_NAMED = 3  # files of each kind that are left out by name
_SINGULARS = {  # of the kinds of what is left out
    "dead links": "dead link",
    "folders": "folder",
    "folders inside of classes": "folder inside of a class",
    "not pictures": "not a picture",
}


class ImageFiles(NamedTuple):
    """The image files of a part of a folder.

    Attributes:
      paths: the files, class by class.
      labels: the numbers of their classes, int32 `[files]`.
      classes: the names of the classes.
      user_validation_count: how many of them, the last ones, are a validation part of the user's
        own.
      skipped: what else is there, in words; empty where there is nothing.
    """

    paths: list[pathlib.Path]
    labels: np.ndarray
    classes: tuple[str, ...]
    user_validation_count: int = 0
    skipped: str = ""


def load(data_dir: pathlib.Path | None, image_size: int, part: str = "train") -> ImageSet:
    """Reads the images of `find_files` as `pictures.read` does.

    All images are RGB, unless all are greyscale: then they have one channel. The test images are
    made RGB or greyscale as the training images are.

    Args:
      data_dir: the directory with the classes.
      image_size: pixels of a side; 0 keeps the size, which must then be one and the same.
      part: `train`, `train and validation` or `test`.

    Raises:
      UserError: as `find_files`, or an image is unreadable or of another size than the rest, or
        all together are too large.
    """
    image_files = find_files(data_dir, part)
    source = str(data_dir)
    with ThreadPoolExecutor() as pool:
        heads = [*pictures.each(pool, pictures.head, image_files.paths)]
        deciding = heads[: len(heads) - image_files.user_validation_count]
        if part == "test":
            # Only the starts of the training files, as they say how the network sees pictures.
            deciding = [*pictures.each(pool, pictures.head, find_files(data_dir).paths)]
        grey = all(head.grey for head in deciding)
        if not image_size and len({head.size for head in heads}) > 1:
            raise differing_sizes(source)
        width, height = (image_size, image_size) if image_size else heads[0].size
        images = allocate(source, len(heads), (height, width, 1 if grey else 3))
        read_image = functools.partial(_read_pixels, grey=grey, image_size=image_size)
        for number, pixels in enumerate(pictures.each(pool, read_image, image_files.paths)):
            images[number] = pixels
    digests = digests_of_files(image_files.paths)
    pairs = [*zip(digests, image_files.paths, strict=True)]
    if part == "test":
        train_paths = find_files(data_dir).paths
        train = dict(zip(digests_of_files(train_paths), train_paths, strict=True))
        _warn_of_shared({"train": train, "test": dict(pairs)})
    elif count := image_files.user_validation_count:
        _warn_of_shared({"train": dict(pairs[:-count]), "validation": dict(pairs[-count:])})
    formats = tuple(sorted({head.kind for head in heads}))
    return ImageSet(
        "folder",
        images,
        image_files.labels,
        image_files.classes,
        digests,
        image_files.user_validation_count,
        image_files.skipped,
        formats,
    )


def find_files(data_dir: pathlib.Path | None, part: str = "train") -> ImageFiles:
    """The files `DIR/<class>/*`, or `DIR/train/<class>/*` where there are such, or other parts'.

    Classes and files are in the order of their names. The test files are `DIR/test/<class>/*`, the
    validation files `DIR/val/<class>/*` (or `valid`, `validation`), for the same classes as in
    `DIR/train`. Nobody looks at another part than the one asked for.

    Args:
      data_dir: the directory with the classes.
      part: `train`, `train and validation` or `test`.

    Raises:
      UserError: there are no two classes with images, or no such part, or it has other classes.
    """
    if data_dir is None:
        raise UserError(
            "--dataset=folder needs --data_dir=DIR, a directory with a folder of images for each"
            " class."
        )
    if part == "test":
        if not has_test_part(data_dir):
            raise UserError(
                f"{data_dir} has no images set aside for the test; make it"
                f" {data_dir / 'train'}/CLASS and {data_dir / 'test'}/CLASS, a folder of images for"
                " each class in both. What this run learnt from must stay in train, so put new"
                " images into test, or train anew on what is left."
            )
        _check_classes(data_dir, data_dir / "test")
        return _find([data_dir / "test"], data_dir)
    roots = [data_dir / "train" if is_split(data_dir) else data_dir]
    if part == TRAIN_AND_VALIDATION:
        validation = validation_folder(data_dir)
        if validation is None:
            raise UserError(
                f"{data_dir} has no validation part of its own; make {data_dir / 'train'}/CLASS"
                f" and {data_dir / VALIDATION_FOLDERS[0]}/CLASS, a folder of images for each class"
                " in both, or give --division=by_class."
            )
        _check_classes(data_dir, validation)
        roots.append(validation)
    return _find(roots, data_dir)


def _check_classes(data_dir: pathlib.Path, part: pathlib.Path) -> None:
    """Raises `UserError` where a part has other classes than `train`."""
    names, own = ({f.name for f in class_folders(root)} for root in (data_dir / "train", part))
    only = [
        f"{_named('class', 'classes', sorted(missing))} only in {where}"
        for missing, where in ((names - own, "train"), (own - names, part.name))
        if missing
    ]
    if only:
        raise UserError(
            f"{data_dir}: {enumerated(only)}; give train and {part.name} folders of the same names."
        )


def _named(one: str, several: str, names: Sequence[str]) -> str:
    """The subject and verb of a sentence about some names, of which not too many are listed."""
    if len(names) == 1:
        return f"the {one} {names[0]} is"
    if len(names) > _LISTED:
        return f"{len(names):,} {several} ({', '.join(names[:_LISTED])}, …) are"
    return f"the {several} {enumerated(names)} are"


def _warn_of_shared(parts: Mapping[str, Mapping[bytes, pathlib.Path]]) -> None:
    """Warns of pictures that are in two parts.

    Args:
      parts: two of them by name, each its files by the digests of their bytes.
    """
    (first, first_files), (second, second_files) = parts.items()
    if shared := [digest for digest in second_files if digest in first_files]:
        logging.warning(
            "%s of %s: byte for byte in %s too (%s is %s), so that scores of the one say less than"
            " they seem to; leave them in one part.",
            *(f"{len(shared):,} picture{'s' * (len(shared) > 1)}", second, first),
            *(second_files[shared[0]], first_files[shared[0]]),
        )


def _find(roots: list[pathlib.Path], data_dir: pathlib.Path) -> ImageFiles:
    """The files of one part, or of the training part and the validation part."""
    skipped = _SkippedFiles(data_dir)
    parts = [_classes(root, skipped) for root in roots]
    for path in files.entries(data_dir) if roots[0] != data_dir else ():
        if path.name not in ("train", "test", *(root.name for root in roots)):
            skipped.add(path, "folders" if files.is_directory(path) else "")
    labels = [
        np.repeat(np.arange(len(classes)), [len(paths) for paths in classes.values()])
        for classes in parts
    ]
    return ImageFiles(
        [path for classes in parts for paths in classes.values() for path in paths],
        np.concatenate(labels).astype(np.int32),
        tuple(parts[0]),
        sum(map(len, labels[1:])),
        skipped.text(),
    )


def _classes(root: pathlib.Path, skipped: "_SkippedFiles") -> dict[str, list[pathlib.Path]]:
    """The image files of each class."""
    folders = class_folders(root)
    if len(folders) < 2:
        present = f"only {folders[0].name}" if folders else "none"
        raise UserError(
            f"{root} must have a folder of images for each of two or more classes, but it has"
            f" {present}; put the images of each class in a folder of its own there."
        )
    for path in sorted(set(files.entries(root)) - set(folders)):
        skipped.add(path)
    classes = {}
    for folder in folders:
        _check_name(folder)
        paths = classes[folder.name] = []
        inner = []
        for path in files.entries(folder):
            if files.is_directory(path):
                inner.append(path)
                skipped.add(path, "folders inside of classes")
            elif path.name.startswith(".") or not files.is_file(path):
                skipped.add(path)
            elif pictures.is_picture(path):
                paths.append(path)
            else:
                skipped.add(path)
        if not paths:
            raise _empty(folder, inner)
    return classes


def _check_name(folder: pathlib.Path) -> None:
    """Raises `UserError` where the bytes of a class's name are no text, which runs write."""
    try:
        folder.name.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{files.shown(folder)}: the name of this class is not UTF-8; rename the folder."
        ) from error


def _empty(folder: pathlib.Path, inner: list[pathlib.Path]) -> UserError:
    advice = "put the class's images there, or remove the folder"
    if inner:
        advice = f"put the class's images there, not into folders like {inner[0].name}"
        if folder.name.lower() in _PARTS:
            advice = "the parts of a data set are called train, val and test: rename it"
    return UserError(f"{folder} has no images (JPEG, PNG or another format of Pillow); {advice}.")


class _SkippedFiles:
    """Counts what is left out, by kind, and remembers the first of each kind."""

    def __init__(self, data_dir: pathlib.Path) -> None:
        self._data_dir = data_dir
        self._counts: collections.Counter[str] = collections.Counter()
        self._examples: dict[str, list[str]] = {}

    def add(self, path: pathlib.Path, kind: str = "") -> None:
        if not kind:
            dead = path.is_symlink() and not files.exists(path)
            hidden = path.name.startswith(".")
            kind = "dead links" if dead else "hidden" if hidden else "not pictures"
        self._counts[kind] += 1
        names = self._examples.setdefault(kind, [])
        if len(names) < _NAMED:
            names.append(files.shown(path.relative_to(self._data_dir)))

    def text(self) -> str:
        descriptions = []
        for kind, count in sorted(self._counts.items()):
            named = ", ".join(self._examples[kind]) + ", …" * (count > _NAMED)
            descriptions.append(
                f"{count:,} {_SINGULARS.get(kind, kind) if count == 1 else kind} ({named})"
            )
        return ", ".join(descriptions)


def _read_pixels(path: pathlib.Path, grey: bool, image_size: int) -> np.ndarray:
    """The pixels, uint8 `[height, width, channels]`."""
    pixels = pictures.read(path, grey=grey)
    return square(pixels, image_size).numpy() if image_size else pixels
