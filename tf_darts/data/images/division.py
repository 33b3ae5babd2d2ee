"""How a data set's training images are divided into a part for learning and one for validation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from tf_darts.errors import UserError

BY_CLASS = "by_class"  # each class by itself
SHUFFLED = "shuffled"  # all images together, which is the paper's way
USER_VALIDATION = "given"  # the images come with a validation part of their own
DIVISIONS = (BY_CLASS, SHUFFLED, USER_VALIDATION)

_SPLIT_SEED = 0  # not the run's: all runs use the same images for the same


class Parts(NamedTuple):
    """The numbers of the images of each part."""

    train: np.ndarray
    validation: np.ndarray


def fixed_order(total: int) -> np.ndarray:
    """The numbers 0..total-1 shuffled the same way for all runs, from which parts are cut."""
    return np.random.Generator(np.random.Philox(_SPLIT_SEED)).permutation(total)


def divide(
    labels: np.ndarray,
    division: str,
    *,
    train: int,
    validation: int,
    user_validation_count: int = 0,
    train_first: bool = False,
) -> Parts:
    """Divides images into two parts; what is in neither is left out.

    By class, each part has of each class its share of all images, up to rounding: a class of two
    or more images is in both parts where they have as many images as there are classes, a class
    of one image is in the training part.

    Args:
      labels: the classes of all images, int32 `[images]`.
      division: one of `DIVISIONS`.
      train: how many images to learn from.
      validation: how many to validate on, of those that are not given for it.
      user_validation_count: how many images, the last ones, are given for validation; all of them
        are taken.
      train_first: whether of shuffled images the first ones are learnt from, or the others.
    """
    total = len(labels) - user_validation_count
    order = fixed_order(total)
    if division == SHUFFLED:
        if train_first:
            return Parts(order[:train], order[train : train + validation])
        return Parts(order[validation : validation + train], order[:validation])
    validation_mask = _share(labels[order], validation, keep=1)
    remaining = order[~validation_mask]
    train_numbers = remaining[_share(labels[remaining], train, keep=0)]
    return Parts(
        train_numbers, np.concatenate([order[validation_mask], np.arange(total, len(labels))])
    )


def check_division(name: str, division: str, user_validation_count: int) -> None:
    """Raises `UserError` where the division is not that of the images."""
    if division not in DIVISIONS:
        raise UserError(f"division={division}: not known; use one of {', '.join(DIVISIONS)}.")
    if (division == USER_VALIDATION) != bool(user_validation_count):
        article, preposition = ("a", "without") if user_validation_count else ("no", "with")
        raise UserError(
            f"{name} was read with {article} validation part of its own; read it"
            f" {preposition} one for division={division}."
        )


def warn_of_missing(name: str, classes: Sequence[str], labels: dict[str, np.ndarray]) -> None:
    """Warns of classes of which a part has no image.

    Args:
      name: the data set's.
      classes: the names of the classes.
      labels: the classes of the images of each part, by the part's name; an empty part is none.
    """
    sizes = sum(np.bincount(part, minlength=len(classes)) for part in labels.values())
    parts = sum(len(part) > 0 for part in labels.values())
    for part, present in labels.items():
        missing = sorted(set(range(len(classes))) - set(np.unique(present).tolist()))
        if len(present) and missing:
            suffix = f" (and of {len(missing) - 1:,} other classes)" if len(missing) > 1 else ""
            few = int(sizes[missing[0]]) < parts
            logging.warning(
                "%s: the %s has no image of the class %s%s; %s.",
                *(name, part, classes[missing[0]], suffix),
                f"it has {sizes[missing[0]]} in all, and each part needs one: add images of it"
                if few
                else "add images of it, or make the part larger",
            )


def _share(labels: np.ndarray, count: int, keep: int) -> np.ndarray:
    """Which of the images, in their order, make a part of `count`, as a mask.

    Args:
      labels: their classes.
      count: how many to take.
      keep: how many of each class are left where that is possible.
    """
    if not count:
        return np.zeros(len(labels), bool)
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    exact = sizes * (count / len(labels))
    counts = np.floor(exact).astype(np.int64)
    # One of each at least, then by the largest remainder.
    limits = np.maximum(sizes - keep, 0)
    counts = np.minimum(np.maximum(counts, 1), limits)
    while (shortfall := count - counts.sum()) != 0:
        change = 1 if shortfall > 0 else -1
        room = counts < limits if change > 0 else counts > (counts.max() > 1)
        if not room.any():
            limits = sizes  # what was to be kept is needed
            continue
        priorities = np.where(room, change * (exact - counts), -np.inf)
        counts[np.argmax(priorities)] += change
    ranks = np.empty(len(labels), np.int64)
    sequence = np.argsort(classes, kind="stable")
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    ranks[sequence] = np.arange(len(labels)) - starts
    return ranks < counts[classes]


def summary_line(
    name: str, classes: Sequence[str], labels: dict[str, np.ndarray], skipped: str = ""
) -> str:
    """One line: how many images of which classes are in which part, and what was left out.

    Args:
      name: the data set's.
      classes: the names of the classes.
      labels: the classes of the images of each part, by the part's name.
      skipped: what else was found, in words.
    """
    counts = np.bincount(np.concatenate(list(labels.values())), minlength=len(classes))
    smallest, largest = int(counts.argmin()), int(counts.argmax())
    parts = ", ".join(f"{len(part):,} in the {part_name}" for part_name, part in labels.items())
    spread = (
        f"from {counts[smallest]:,} of {classes[smallest]}"
        f" to {counts[largest]:,} of {classes[largest]}"
    )
    if counts[smallest] == counts[largest]:
        spread = f"{counts[largest]:,} of each class"
    line = f"{name}: {counts.sum():,} images of {len(classes):,} classes ({spread}): {parts}"
    return f"{line}; left out: {skipped}." if skipped else f"{line}."
