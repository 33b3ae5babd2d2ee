"""The setting by which images are divided, and the user's own validation images."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from tf_darts.config.setting import setting
from tf_darts.data.images.folder_parts import VALIDATION_FOLDERS, validation_folder
from tf_darts.errors import UserError
from tf_darts.runtime.files import expanded

_Config = TypeVar("_Config")


def division_setting() -> Any:
    """The field of a configuration."""
    return setting(
        "shuffled",
        "The training images are divided into a part for learning and one for validation: each"
        " class by itself (by_class), all together (shuffled), or as the folder `val` beside"
        " `train` has it (given).",
        group="data",
        choices=("by_class", "shuffled", "given"),
        legacy="shuffled",
    )


def divided(config: _Config, overrides: Mapping[str, Any], share: str) -> _Config:
    """A configuration that learns from the user's own validation images where there are such.

    Args:
      config: as it was asked for.
      overrides: the settings that the user gave.
      share: the setting that says how large the validation part is, where it is not given.

    Raises:
      UserError: a setting has no meaning for the images that are there.
    """
    folder = None
    if config.dataset == "folder" and config.data_dir:
        folder = validation_folder(expanded(config.data_dir))
    if folder and "division" not in overrides:
        config = dataclasses.replace(config, division="given")
    if config.division != "given":
        return config
    # Where the directory is not named, a run's record may say so.
    if config.dataset != "folder" or (config.data_dir and not folder):
        raise UserError(
            "--division=given needs --dataset=folder and, in its --data_dir, a folder train and one"
            f" of {', '.join(VALIDATION_FOLDERS)} with a folder for each class; make them, or give"
            " --division=by_class."
        )
    if share in overrides:
        raise UserError(
            f"--{share} has no meaning where {folder or 'a folder'} has the validation images;"
            " leave it out, or give --division=by_class to overlook that folder."
        )
    return config
