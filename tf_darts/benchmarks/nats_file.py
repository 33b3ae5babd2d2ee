"""The public file of NATS-Bench, whose topology space is NAS-Bench-201, as the rows of a table.

It is read by its authors' own API (`nats_bench`, an optional extra), which unpickles it: give it
the official file only. Dong, Liu, Musial, Gabrys, TPAMI 2021 (arXiv:2009.00437).
"""

import csv
import io
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from tf_darts.benchmarks.table_file import ARCHITECTURE, INDEX
from tf_darts.errors import UserError
from tf_darts.runtime.files import Path, exists, expanded, is_directory, shown
from tf_darts.spaces.nasbench201 import strings

_ADVICE = "give NATS-tss-v1_0-3ffb9.pickle.pbz2 or the folder NATS-tss-v1_0-3ffb9-simple"


class Source(NamedTuple):
    """Where a column's accuracies are in NATS-Bench.

    Attributes:
      column: its name in the table.
      dataset: what networks were trained on; cifar10-valid is the half of CIFAR-10 for training.
      epochs: for how long, as the API writes it.
      field: the accuracy, of the mean over the seeds that there are.
    """

    column: str
    dataset: str
    epochs: str
    field: str


_DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16_120": "ImageNet16-120"}
# The benchmark's own: tests after 200 epochs (of CIFAR-10 after training on all of it), and what a
# search may ask for, validation after 12.
SOURCES = (
    *(Source(name, dataset, "200", "test-accuracy") for name, dataset in _DATASETS.items()),
    *(
        Source(
            f"{name}_valid_12_epochs",
            "cifar10-valid" if name == "cifar10" else dataset,
            "12",
            "valid-accuracy",
        )
        for name, dataset in _DATASETS.items()
    ),
)


def open_nats(path: Path) -> Any:
    """The API of a NATS-Bench file of the topology space, or of the folder of one.

    Raises:
      UserError: `nats_bench` is missing, nothing is there, or it is no such file.
    """
    try:
        # The optional extra: nothing else needs it.
        import nats_bench
    except ImportError as error:
        raise UserError(
            "reading NATS-Bench needs its authors' API: pip install 'tf_darts[nats-bench]'."
        ) from error
    where = expanded(path)
    if not exists(where):
        raise UserError(f"{shown(path)}: is not there; {_ADVICE}.")
    try:
        return nats_bench.create(str(where), "tss", fast_mode=is_directory(where), verbose=False)
    except Exception as error:  # the API and pickle raise whatever they stumble over
        raise _unreadable(path, error) from error


def table_text(api: Any, path: Path) -> str:
    """The table of all cells of the API, as CSV: a column for each of `SOURCES`.

    Args:
      api: what `open_nats` gives.
      path: of the file, for sentences.

    Raises:
      UserError: the file lacks an accuracy, or has no cells.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([INDEX, ARCHITECTURE, *(source.column for source in SOURCES)])
    writer.writerows(_rows(api, path))
    return stream.getvalue()


def _rows(api: Any, path: Path) -> Iterator[list[Any]]:
    """The rows in the order of the file's own list."""
    try:
        count = len(api)
        for index in range(count):
            text = strings.normal(api.arch(index))
            yield [index, text, *(_accuracy(api, index, source) for source in SOURCES)]
    except UserError:
        raise
    except Exception as error:  # as above
        raise _unreadable(path, error) from error
    if not count:
        raise _unreadable(path, ValueError("it has no cells"))


def _accuracy(api: Any, index: int, source: Source) -> float:
    """The mean over seeds, in percent, to four places."""
    info = api.get_more_info(index, source.dataset, hp=source.epochs, is_random=False)
    value = info.get(source.field)
    if value is None or not math.isfinite(value):
        raise ValueError(
            f"cell {index} has no {source.field} on {source.dataset} after {source.epochs} epochs"
        )
    return round(float(value), 4)


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = shown(" ".join(f"{type(error).__name__}: {error}".split()))
    return UserError(f"{shown(path)}: cannot be read as NATS-Bench ({reason}); {_ADVICE}.")
