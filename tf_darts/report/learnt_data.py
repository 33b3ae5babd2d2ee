"""Which data a run learnt from, as its `data.json` says: scores of other data do not compare.

A fingerprint is the same for all seeds (`data/fingerprint.py`), but parts that are divided in
another way have other digests although the data set is the same.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tf_darts.errors import StateError
from tf_darts.report.run_files import ADVICE
from tf_darts.runtime import files

# The settings that decide which examples are in which part, and what their digests are taken of.
_DIVIDING = (
    "division",
    "image_size",
    "permute_labels",
    "stream_images",
    "train_examples",
    "train_on_all",
    "train_portion",
    "validation_examples",
)


class LearntData(NamedTuple):
    """The data of a run.

    Attributes:
      digest: of the names and parts; "" where the run has no fingerprint.
      names: of the classes, or of the words, alone.
      division: the settings that divided the data into parts.
      sizes: of the parts, in words.
    """

    digest: str
    names: str
    division: str
    sizes: str


UNKNOWN = LearntData("", "", "", "")


def learnt_data(run: pathlib.Path, settings: Mapping[str, Any], prefix: str = "") -> LearntData:
    """The data of a run; `UNKNOWN` of runs of before there were fingerprints.

    Args:
      run: its directory.
      settings: the run's.
      prefix: of the names of those that divide the data.

    Raises:
      StateError: `data.json` cannot be read.
    """
    file = run / "data.json"
    fingerprint = files.read_json(file, ADVICE).get("fingerprint") if files.exists(file) else None
    if fingerprint is None:
        return UNKNOWN
    permuted = settings.get(f"{prefix}permute_labels", False)
    try:
        names = fingerprint["classes"] if "classes" in fingerprint else fingerprint["words"]
        parts = {name: dict(part) for name, part in fingerprint["parts"].items() if part["number"]}
        sizes = ", ".join(f"{part['number']:,} in the {name} part" for name, part in parts.items())
        if permuted:  # by the run's seed, and the digests are of the labels too
            parts = {name: {"number": part["number"]} for name, part in parts.items()}
        # The moments follow from the images, up to the noise of another machine.
        digest = _digest([names, parts])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StateError(
            f"{file}: cannot be read as a run's file (its fingerprint of the data is broken);"
            f" {ADVICE}."
        ) from error
    dividing = {name: settings.get(f"{prefix}{name}") for name in _DIVIDING}
    return LearntData(digest, _digest(names), _digest(dividing), sizes)


def differ(data: Iterable[LearntData]) -> bool:
    """Whether some of these are known to be of other data, or whether only some are known.

    The same data have other digests where other settings divide them: these alone show nothing.
    """
    found = set(data)
    known = {one for one in found if one.digest}
    digests = {(one.division, one.digest) for one in known}
    if known and UNKNOWN in found:
        return True
    divisions = {division for division, _ in digests}
    return len({one.names for one in known}) > 1 or len(digests) > len(divisions)


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:8]
