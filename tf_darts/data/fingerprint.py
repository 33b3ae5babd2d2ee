"""What data are, in a few numbers, so that other data of the same name are noticed.

A fingerprint is a JSON document: the `classes`, or the number and digest of the `words`; for each
of the `parts` the number and digest of its examples, in their order; of images their `image_shape`
and the `mean` and `std` of their pixels. It is of the data as they lie there, before they are
scaled, augmented or cut into batches: seeds, precision and batch sizes do not change it.
"""

import hashlib
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tf_darts.runtime import files

Fingerprint = dict[str, Any]
Part = dict[str, int | str]  # the number of its examples and their `sha256`

# Of the 255 of a pixel: decoders and the scaling differ by less from one machine to another.
_TOLERANCE = 0.05
_LISTED = 8  # classes that are named one by one in a sentence


def part_of_words(numbers: np.ndarray) -> Part:
    """A part of a text, the numbers of its words int32 `[tokens]`."""
    return {"number": len(numbers), "sha256": hashlib.sha256(_canonical(numbers)).hexdigest()}


def part_of_images(origins: Iterable[np.ndarray | bytes], labels: np.ndarray) -> Part:
    """A part of a set of images.

    Args:
      origins: in their order the images, uint8, or what stands for them, such as digests of files.
      labels: the numbers of their classes `[images]`.
    """
    digest = hashlib.sha256(_canonical(labels))
    for origin in origins:
        digest.update(_canonical(origin) if isinstance(origin, np.ndarray) else origin)
    return {"number": len(labels), "sha256": digest.hexdigest()}


def digests_of_files(paths: Sequence[pathlib.Path]) -> list[bytes]:
    """The sha256 of each file's content; raises `UserError` where one cannot be read."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda path: hashlib.sha256(files.read_bytes(path)).digest(), paths))


def fingerprint_of_text(words: Sequence[str], parts: Mapping[str, Part]) -> Fingerprint:
    """The fingerprint of parts whose words have numbers: their places in `words`."""
    digest = hashlib.sha256("\n".join(words).encode())
    return {
        "words": {"number": len(words), "sha256": digest.hexdigest()},
        "parts": dict(parts),
    }


def fingerprint_of_images(
    classes: Sequence[str],
    parts: Mapping[str, Part],
    shape: Sequence[int],
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> Fingerprint:
    """The fingerprint of parts of images.

    Args:
      classes: their names, in the order of their numbers.
      parts: by name.
      shape: height, width and channels of what the network sees.
      mean: of each channel, in units of 0..255; empty for a part that is normalised by another's.
      std: the deviation, likewise.
    """
    moments = {"mean": list(map(float, mean)), "std": list(map(float, std))} if len(mean) else {}
    return {
        "classes": list(classes),
        "image_shape": list(map(int, shape)),
        "parts": dict(parts),
        **moments,
    }


def differences(recorded: Fingerprint, current: Fingerprint) -> list[str]:
    """What two fingerprints differ in, in words; nothing where they are of the same data.

    Raises:
      ValueError: `recorded`, which was read from a file, is no fingerprint.
    """
    try:
        # The moments follow from the images; alone they differ where pixels are made otherwise.
        return list(_differences(recorded, current)) or list(different_moments(recorded, current))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError("its fingerprint of the data is broken") from error


def different_moments(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    """In words, where `mean` or `std` of two documents differ by more than noise."""
    for name, label in (("mean", "mean"), ("std", "deviation")):
        recorded_values, current_values = recorded.get(name, []), current.get(name, [])
        if len(recorded_values) != len(current_values) or not np.allclose(
            recorded_values, current_values, rtol=0, atol=_TOLERANCE
        ):
            recorded_text, current_text = (
                ", ".join(f"{value:.2f}" for value in values)
                for values in (recorded_values, current_values)
            )
            yield (
                f"the {label} of the pixels was {recorded_text or 'unknown'}"
                f" and is now {current_text or 'unknown'}"
            )


def _differences(recorded: Fingerprint, current: Fingerprint) -> Iterator[str]:
    names, examples = ("classes", "images") if "classes" in current else ("words", "tokens")
    if "classes" in current:
        yield from _different_classes(recorded["classes"], current["classes"])
        recorded_size, current_size = (
            "x".join(map(str, fingerprint["image_shape"])) for fingerprint in (recorded, current)
        )
        if recorded_size != current_size:
            yield f"the images were {recorded_size} and are now {current_size}"
    elif recorded["words"] != current["words"]:
        recorded_size, current_size = recorded["words"]["number"], current["words"]["number"]
        if recorded_size != current_size:
            yield f"the vocabulary had {recorded_size:,} words and has now {current_size:,}"
        else:
            yield f"the {current_size:,} words of the vocabulary are others, or in another order"
    for name in dict.fromkeys([*recorded["parts"], *current["parts"]]):
        recorded_part, current_part = (
            fingerprint["parts"].get(name, {"number": 0}) for fingerprint in (recorded, current)
        )
        if recorded_part["number"] != current_part["number"]:
            recorded_size, current_size = recorded_part["number"], current_part["number"]
            yield f"the {name} part had {recorded_size:,} {examples} and has now {current_size:,}"
        # With other classes or words the same examples have other numbers.
        elif recorded_part != current_part and recorded.get(names) == current.get(names):
            number = recorded_part["number"]
            yield f"the {number:,} {examples} of the {name} part are others, or reordered"


def _different_classes(recorded: Sequence[str], current: Sequence[str]) -> Iterator[str]:
    if list(recorded) == list(current):
        return
    if max(len(recorded), len(current)) <= _LISTED:
        yield f"the classes were {', '.join(recorded)} and are now {', '.join(current)}"
        return
    removed, added = (
        [name for name in classes if name not in excluded]
        for classes, excluded in ((recorded, set(current)), (current, set(recorded)))
    )
    shown = [
        f"{label} {', '.join(names[:_LISTED])}{', …' if names[_LISTED:] else ''}"
        for label, names in (("gone", removed), ("new", added))
        if names
    ]
    yield (
        f"there were {len(recorded):,} classes and are now {len(current):,}"
        f" ({'; '.join(shown) or 'in another order'})"
    )


def _canonical(array: np.ndarray) -> np.ndarray:
    """The bytes of an array, the same ones on all machines: int32 is little-endian."""
    kind = np.uint8 if array.dtype == np.uint8 else np.dtype("<i4")
    return np.ascontiguousarray(array, kind)
