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


def differences(before: Fingerprint, now: Fingerprint) -> list[str]:
    """What two fingerprints differ in, in words; nothing where they are of the same data.

    Raises:
      ValueError: `before`, which was read from a file, is no fingerprint.
    """
    try:
        # The moments follow from the images; alone they differ where pixels are made otherwise.
        return list(_differences(before, now)) or list(different_moments(before, now))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError("its fingerprint of the data is broken") from error


def different_moments(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """In words, where `mean` or `std` of two documents differ by more than noise."""
    for name, what in (("mean", "mean"), ("std", "deviation")):
        one, other = before.get(name, []), now.get(name, [])
        if len(one) != len(other) or not np.allclose(one, other, rtol=0, atol=_TOLERANCE):
            had, has = (", ".join(f"{value:.2f}" for value in values) for values in (one, other))
            yield f"the {what} of the pixels was {had or 'unknown'} and is now {has or 'unknown'}"


def _differences(before: Fingerprint, now: Fingerprint) -> Iterator[str]:
    names, examples = ("classes", "images") if "classes" in now else ("words", "tokens")
    if "classes" in now:
        yield from _different_classes(before["classes"], now["classes"])
        had, has = ("x".join(map(str, each["image_shape"])) for each in (before, now))
        if had != has:
            yield f"the images were {had} and are now {has}"
    elif before["words"] != now["words"]:
        had, has = before["words"]["number"], now["words"]["number"]
        if had != has:
            yield f"the vocabulary had {had:,} words and has now {has:,}"
        else:
            yield f"the {has:,} words of the vocabulary are others, or in another order"
    for name in dict.fromkeys([*before["parts"], *now["parts"]]):
        one, other = (each["parts"].get(name, {"number": 0}) for each in (before, now))
        if one["number"] != other["number"]:
            had, has = one["number"], other["number"]
            yield f"the {name} part had {had:,} {examples} and has now {has:,}"
        # With other classes or words the same examples have other numbers.
        elif one != other and before.get(names) == now.get(names):
            yield f"the {one['number']:,} {examples} of the {name} part are others, or reordered"


def _different_classes(before: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    if list(before) == list(now):
        return
    if max(len(before), len(now)) <= _LISTED:
        yield f"the classes were {', '.join(before)} and are now {', '.join(now)}"
        return
    gone, new = (
        [name for name in some if name not in others]
        for some, others in ((before, set(now)), (now, set(before)))
    )
    shown = [
        f"{how} {', '.join(names[:_LISTED])}{', …' if names[_LISTED:] else ''}"
        for how, names in (("gone", gone), ("new", new))
        if names
    ]
    yield (
        f"there were {len(before):,} classes and are now {len(now):,}"
        f" ({'; '.join(shown) or 'in another order'})"
    )


def _canonical(array: np.ndarray) -> np.ndarray:
    """The bytes of an array, the same ones on all machines: int32 is little-endian."""
    kind = np.uint8 if array.dtype == np.uint8 else np.dtype("<i4")
    return np.ascontiguousarray(array, kind)
