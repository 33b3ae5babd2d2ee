"""What mode, data set and space make of the settings: layers of values, one over the other."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from tf_darts.cells.space import IMAGES, TEXTS, Space, find_space, spaces
from tf_darts.config.run import RunConfig

# Digits are not the same in a mirror, and these are 8 pixels wide.
_DIGITS = {"crop_padding": 1, "flip": False}
# A mirror image is of another class, and so may be what a crop leaves.
_PLANTED = {"crop_padding": 0, "flip": False}
# The user's own classes may be of any size, small ones too.
_FOLDER = {"division": "by_class"}

# What data sets change of how their kind is read, by the kind, the mode and the data set: laid over
# the settings of a space, of which `Space.presets` has what is its own. The paper searches on ptb
# and cifar10, and trains on wikitext2 and imagenet2012 too; other texts and images take their
# settings.
LAYERS: Mapping[str, dict[tuple[str, str], Mapping[str, Any]]] = {
    TEXTS: {
        (mode, dataset): {}
        for mode in ("search", "train")
        for dataset in ("ptb", "wikitext2", "pydoc", "text")
    },
    IMAGES: {
        ("search", "cifar10"): {},
        ("search", "digits"): _DIGITS,
        ("search", "planted"): _PLANTED,
        ("search", "folder"): _FOLDER,
        ("train", "cifar10"): {},
        # Too small for a square cut out.
        ("train", "digits"): _DIGITS | {"cutout": 0, "validation_examples": 300},
        ("train", "planted"): _PLANTED | {"cutout": 0, "validation_examples": 2048},
        ("train", "folder"): _FOLDER,
        ("train", "imagenet2012"): {
            "image_size": 224,
            "crop_padding": 0,
            "cutout": 0,
            "stream_images": True,
            "random_resized_crop": True,
            "color_jitter": 0.4,
            "hue_jitter": 0.2,
        },
    },
}


def kind_of(dataset: str) -> str:
    """The kind of a data set, by its name; sets of TensorFlow Datasets are images."""
    texts = (name for _, name in LAYERS[TEXTS])
    return TEXTS if dataset in texts else IMAGES


def usual_space(kind: str) -> Space:
    """The space that data of a kind take where none is named."""
    return next(space for space in spaces().values() if space.default and space.data == kind)


def preset_for(mode: str, dataset: str, space: str = "") -> RunConfig:
    """The settings of a known data set in a mode that learns from one.

    Args:
      mode: "search" or "train".
      dataset: its name.
      space: the space's name; "" is the usual one of the data.
    """
    record = find_space(space) if space else usual_space(kind_of(dataset))
    preset = {"search": record.search, "train": record.training}[mode]
    key = mode, re.split("[/:]", dataset)[0]  # without the configuration and version of a TFDS set
    layers = (LAYERS[record.data].get(key, {}), record.presets.get(key, {}))
    values = {name: value for layer in layers for name, value in layer.items()}
    return dataclasses.replace(preset, **values, dataset=dataset, space=record.name)
