"""Settings that have another name today: the old one is read for one version more.

Command lines, keywords, flagfiles and the `config.json` of old runs may say either.
"""

from collections.abc import Mapping
from typing import Any

from tf_darts.errors import UserError
from tf_darts.runtime.console import warn

RENAMED = {
    "activation": "activation_penalty",
    "final": "train_on_all",
    "optimization": "method",
    "slowness": "temporal_activation_penalty",
    "version": "export_version",  # --version alone asks for the program's
}
# Values of settings likewise.
RENAMED_VALUES = {("mode", "random_search"): "black_box", ("method", "bilevel"): "darts"}


_TRUE = True, "true", "1"


def rename_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under the names of today; what was recorded needs no sentence.

    A study records those of its runs with a prefix, as in "train.units".
    """
    current = {_rename_setting(name): value for name, value in settings.items()}
    for name, value in current.items():
        if isinstance(value, str):
            current[name] = RENAMED_VALUES.get((name.rpartition(".")[2], value), value)
    # One flag was two: what was cut at random was read from the disk while training.
    for name, value in settings.items():
        if name.rpartition(".")[2] == "random_resized_crop":
            current.setdefault(name.replace("random_resized_crop", "stream_images"), value)
    return current


def _rename_setting(name: str) -> str:
    prefix, dot, field = name.rpartition(".")
    return f"{prefix}{dot}{RENAMED.get(field, field)}"


def rename_and_warn(settings: Mapping[str, Any], flag: str = "") -> dict[str, Any]:
    """`rename_settings`, for what a user typed: one line says what to type from now on.

    Args:
      settings: by the names that were typed.
      flag: in whose value they stand; empty where they are flags themselves.

    Raises:
      UserError: a setting is given by both of its names.
    """
    current = rename_settings(settings)
    crop = settings.get("random_resized_crop")
    if crop is not None and crop not in _TRUE and "stream_images" not in settings:
        del current["stream_images"]  # of an old record it says no, of what is typed nothing
    notices = []
    for old, new in RENAMED.items():
        if old in settings and new in settings:
            raise UserError(f"--{old} is --{new} now, and both are given; leave --{old} out.")
        if old in settings:
            notices.append(f"--{old} is --{new} now" if not flag else f"{old} is {new} now")
    for (name, old), new in RENAMED_VALUES.items():
        if settings.get(name) == old:
            notices.append(f"--{name}={old} is --{name}={new} now")
        elif any(settings.get(n) == old for n, renamed in RENAMED.items() if renamed == name):
            notices[-1:] = [f"{notices[-1]}, and {old} is {new}"]
    if crop in _TRUE and "stream_images" not in settings:
        notices.append("--random_resized_crop needs --stream_images now, which is taken as given")
    if notices:
        place = f"--{flag}: " if flag else ""
        warn(f"tf_darts: {place}{'; '.join(notices)}; the next version will not know the old way.")
    return current
