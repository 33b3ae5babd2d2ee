"""Data sets of one's own, for `--dataset=NAME`: registered by a file that `--load` names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tf_darts.cells.space import IMAGES, TEXTS
from tf_darts.config import layers, presets
from tf_darts.config.setting import check, fields
from tf_darts.data import own_sets
from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

_DECIDED = ("mode", "dataset", "space")  # what chooses a preset is no part of one


def register_images(
    name: str,
    load: Callable[[Any, str], tuple[Any, Any, Sequence[str]]],
    *,
    search: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> None:
    """Makes an image classification set known, as long as this process lives.

    Args:
      name: as in `--dataset=NAME`.
      load: takes the directory of `--data_dir` (a path, or None) and "train" or "test"; gives the
        images, uint8 [N, height, width, channels], the numbers of their classes [N], and the
        classes' names.
      search: values of a search's settings that are the set's own, `{"flip": False}`.
      training: the same for a training.

    Raises:
      UserError: the name is taken, or a value is none of its setting.
    """
    _register(IMAGES, name, search, training)
    own_sets.IMAGES[name] = load


def register_texts(
    name: str,
    load: Callable[[Any, bool], Mapping[str, Sequence[str]]],
    *,
    search: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> None:
    """Makes a text known, as long as this process lives.

    Args:
      name: as in `--dataset=NAME`.
      load: takes the directory of `--data_dir` (a path, or None) and whether the test part is
        wanted; gives the lines of "train", "validation" and, where wanted, "test", words separated
        by spaces.
      search: values of a search's settings that are the text's own, `{"bptt": 70}`.
      training: the same for a training.

    Raises:
      UserError: as `register_images`.
    """
    _register(TEXTS, name, search, training)
    own_sets.TEXTS[name] = load


def _register(
    kind: str, name: str, search: Mapping[str, Any] | None, training: Mapping[str, Any] | None
) -> None:
    flag = f"--dataset={shown(name)}"
    if not isinstance(name, str) or not name.isidentifier():
        raise UserError(f"{flag}: a name is letters, digits and _; choose such one.")
    if any(name == known for own in layers.LAYERS.values() for _, known in own):
        raise UserError(f"{flag}: the name is taken; choose another.")
    space = layers.usual_space(kind)
    modes = (
        ("search", "search", space.search, search or {}),
        ("train", "training", space.training, training or {}),
    )
    for mode, argument, preset, values in modes:
        for setting, value in values.items():
            if setting not in fields(preset):
                raise UserError(f"{flag}: {shown(setting)} is no setting of --mode={mode}.")
            if setting in _DECIDED:
                raise UserError(
                    f"{flag}: {setting} cannot be the set's own; leave it out of `{argument}`."
                )
            check(fields(preset)[setting], value)
    for mode, _, _, values in modes:
        layers.LAYERS[kind][mode, name] = dict(values)
    for mode, *_ in modes:  # not before both are there: they say of which kind the set is
        presets.PRESETS[mode, name] = layers.preset_for(mode, name)
