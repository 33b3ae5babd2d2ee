"""What a configuration trains on what, and tests on what: where derived cells and data meet."""

from typing import NamedTuple

import tf_darts.accelerate  # noqa: F401, the fast forms of all that is made here
from tf_darts.cells.genotype import Genotype
from tf_darts.cells.space import IMAGES, TEXTS, find_space, resolved
from tf_darts.config.training import TrainingConfig
from tf_darts.data.facts import ImageFacts, TextFacts
from tf_darts.data.images import folder_parts
from tf_darts.data.texts import registry as text_sets
from tf_darts.runs import image_data, text_data
from tf_darts.runtime.files import expanded
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.training.engine import TrainingData
from tf_darts.training.finished import TrainingTest

_TRAINING_PARTS = {IMAGES: image_data.training_part, TEXTS: text_data.training_part}
_TEST_PARTS = {IMAGES: image_data.test_part, TEXTS: text_data.test_part}


class TrainingTask(NamedTuple):
    """A training without its engine.

    Attributes:
      objective: what is trained.
      data: what it learns from.
      baseline: name and validation score of something trivial to compare with.
    """

    objective: TrainingObjective
    data: TrainingData
    baseline: tuple[str, float] | None


def has_test_part(config: TrainingConfig) -> bool:
    """Whether the data have a test part, as far as that is seen without reading them.

    The user's own may have none; of others it is taken for granted.
    """
    tests = {"folder": folder_parts.has_test_part, "text": text_sets.has_own_test}
    if config.dataset not in tests or not config.data_dir:
        return True
    return tests[config.dataset](expanded(config.data_dir))


def make_objective(
    config: TrainingConfig, cell: Genotype, facts: ImageFacts | TextFacts
) -> TrainingObjective:
    """The network that is trained, with random weights; `facts` are of its data."""
    return resolved(find_space(config.space).objective)(config, cell, facts)


def training_task(config: TrainingConfig, cell: Genotype) -> TrainingTask:
    """The task of a configuration."""
    part = _TRAINING_PARTS[find_space(config.space).data](config)
    return TrainingTask(make_objective(config, cell, part.facts), part.data, part.baseline)


def training_test(config: TrainingConfig, cell: Genotype) -> TrainingTest:
    """The test of a training; the only place that reads a test part."""
    *part, facts = _TEST_PARTS[find_space(config.space).data](config)
    return TrainingTest(make_objective(config, cell, facts), *part)
