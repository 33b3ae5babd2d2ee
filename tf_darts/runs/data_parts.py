"""What the data halves of all kinds give: `runs/image_data.py`, `runs/text_data.py`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tf_darts.bilevel.engine import SearchData
from tf_darts.data.facts import ImageFacts, TextFacts
from tf_darts.data.fingerprint import Fingerprint
from tf_darts.training.engine import TrainingData

Facts = ImageFacts | TextFacts
Baseline = tuple[str, float]


class SearchPart(NamedTuple):
    """What a search learns from.

    Attributes:
      data: its batches.
      facts: what decides the shapes of a network.
      baseline: name and validation score of something trivial to compare with.
      check_training: raises `UserError` where a training of these settings could not learn from
        the same data.
      small: the settings with which one can, where its own are too large.
    """

    data: SearchData
    facts: Facts
    baseline: Baseline
    check_training: Callable[..., None]  # of its kind of data
    small: Mapping[str, Any]


class TrainingPart(NamedTuple):
    """What a training learns from; see `SearchPart`.

    Attributes:
      baseline: None where there is no validation part, or it is not counted.
    """

    data: TrainingData
    facts: Facts
    baseline: Baseline | None


class TestPart(NamedTuple):
    """What a training is tested on.

    Attributes:
      batches: the test part, once.
      batch_size: of the network's state.
      baseline: name and test score of something trivial to compare with, or None.
      data: what was learnt from, read again.
      tested: what the test part is.
      facts: what decides the shapes of a network.
    """

    batches: Iterable[Any]
    batch_size: int
    baseline: Baseline | None
    data: TrainingData
    tested: Fingerprint
    facts: Facts
