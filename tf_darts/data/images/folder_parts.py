"""The parts of a directory of the user's own images: train, validation, test."""

import pathlib

from tf_darts.errors import UserError
from tf_darts.runtime import files

VALIDATION_FOLDERS = ("val", "valid", "validation")


def has_classes(folder: pathlib.Path) -> bool:
    """Whether a directory has folders in it, which are then classes."""
    return files.is_directory(folder) and bool(class_folders(folder))


def class_folders(folder: pathlib.Path) -> list[pathlib.Path]:
    """The folders in a directory, in the order of their names; hidden ones are overlooked."""
    return [
        path
        for path in files.entries(folder)
        if not path.name.startswith(".") and files.is_directory(path)
    ]


def is_split(data_dir: pathlib.Path) -> bool:
    """Whether there is a folder for each part.

    A `train` without folders in it is itself a class: pictures of trains.
    """
    return has_classes(data_dir / "train")


def has_test_part(data_dir: pathlib.Path) -> bool:
    """Whether there are images set aside for the test, which are not looked at."""
    return is_split(data_dir) and has_classes(data_dir / "test")


def validation_folder(data_dir: pathlib.Path) -> pathlib.Path | None:
    """The folder of the validation images beside `train`, or None.

    Raises:
      UserError: there are two.
    """
    if not is_split(data_dir):
        return None
    folders = [data_dir / name for name in VALIDATION_FOLDERS if has_classes(data_dir / name)]
    if len(folders) > 1:
        raise UserError(
            f"{data_dir} has two folders of validation images, {folders[0].name} and"
            f" {folders[1].name}; keep one of them there."
        )
    return folders[0] if folders else None
