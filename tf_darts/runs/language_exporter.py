"""How language models are exported."""

import functools
from collections.abc import Mapping
from typing import ClassVar

from tf_darts.data.asset_files import VOCABULARY_FILE
from tf_darts.data.facts import TextFacts
from tf_darts.data.texts.vocabulary import EOS
from tf_darts.errors import UserError
from tf_darts.formats.language_functions import exported_functions, trained_functions
from tf_darts.formats.language_serving import LanguageServing
from tf_darts.runs.exporter import Exporter
from tf_darts.spaces.objective import TrainingObjective


class LanguageExporter(Exporter):
    """For language models."""

    names_file = VOCABULARY_FILE
    count = "vocabulary"
    task = "text-generation"
    intended_use = (
        "The model scores texts that read like its corpus, word by word, and continues them; it was"
        " made to compare architectures."
    )
    limits: ClassVar[Mapping[str, str]] = {
        "words": "The model knows the words of its vocabulary only, as the corpus writes them.",
        "what it writes": "A continuation is likely, not true; it repeats what the corpus says,"
        " prejudice and errors included.",
        "scores": "A perplexity holds for this corpus and this vocabulary, and compares with no"
        " other's.",
    }

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        words = super().names
        if len(set(words)) < len(words) or EOS not in words:
            raise UserError(
                f"{self.training.run.path / self.names_file}: a word is there twice, or there is no"
                f" {EOS}; put the training's file back."
            )
        return words

    @property
    def facts(self) -> TextFacts:
        return TextFacts(len(self.names))

    def serving(self, network: TrainingObjective, *, exported: bool) -> LanguageServing:
        functions = exported_functions if exported else trained_functions
        return LanguageServing(
            functions(network.model),
            [variable.value for variable in network.weights],
            units=self.config.units,
            words=self.names,
            vocabulary_file=self.training.run.path / self.names_file,
        )
