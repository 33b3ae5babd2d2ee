"""What the settings of a run make of the recurrent space."""

from collections.abc import Mapping

from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.cells.topology import CellTopology
from tf_darts.data.facts import TextFacts
from tf_darts.runtime.precision import check_language_model
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.recurrent.derived import counts as sizes
from tf_darts.spaces.recurrent.derived.objective import LanguageModel, NextWordPrediction
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig, RecurrentTrainingConfig
from tf_darts.spaces.recurrent.word_model import DROPOUTS


def supernet(
    config: RecurrentSearchConfig, facts: TextFacts, cells: Mapping[str, CellTopology]
) -> RecurrentSupernet:
    """What a search goes through, with random weights."""
    check_language_model(config.units, facts.words)
    model = RelaxedLanguageModel(
        words=facts.words,
        units=config.units,
        nodes=cells["cell"].nodes,
        **{name: getattr(config, name) for name in DROPOUTS},
        seed=sub_seed(config.seed, "weights"),
    )
    penalty = config.temporal_activation_penalty
    return RecurrentSupernet(model, penalty, config.rematerialize, cells["cell"])


def language_model(
    config: RecurrentTrainingConfig, cell: RecurrentGenotype, words: int
) -> LanguageModel:
    """A language model of `words` words as configured; its weights are yet to be made."""
    return LanguageModel(
        cell,
        words=words,
        units=config.units,
        **{name: getattr(config, name) for name in DROPOUTS},
        seed=sub_seed(config.seed, "weights"),
    )


def language_objective(
    config: RecurrentTrainingConfig, cell: RecurrentGenotype, words: int
) -> NextWordPrediction:
    """The training of a `language_model`, with random weights."""
    return NextWordPrediction(
        language_model(config, cell, words),
        temporal_activation_penalty=config.temporal_activation_penalty,
        activation_penalty=config.activation_penalty,
        rematerialize=config.rematerialize,
    )


def objective(
    config: RecurrentTrainingConfig, cell: RecurrentGenotype, facts: TextFacts
) -> NextWordPrediction:
    """See `language_objective`; raises `UserError` where a precision would do nothing."""
    check_language_model(config.units, facts.words)
    return language_objective(config, cell, facts.words)


def counts(
    config: RecurrentTrainingConfig, cell: RecurrentGenotype, facts: TextFacts
) -> dict[str, int]:
    """How large the network is."""
    return sizes.counts(cell, facts.words, config.units)
