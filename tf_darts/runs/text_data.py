"""The data half of runs on texts: from settings to batches, whatever the space."""

from tf_darts.config.data_searches import TextSearchConfig
from tf_darts.config.training import TextTrainingConfig
from tf_darts.data.facts import TextFacts
from tf_darts.data.texts import registry as texts
from tf_darts.data.texts.corpus import Corpus
from tf_darts.data.texts.search_batches import TextSearchData
from tf_darts.data.texts.training_batches import TextTrainingData, fingerprint_of_test, text_test
from tf_darts.data.trivial_scores import WORD_FREQUENCIES, unigram_perplexity
from tf_darts.runs.data_parts import SearchPart, TestPart, TrainingPart
from tf_darts.runtime.console import tell
from tf_darts.runtime.seeds import sub_seed


def search_part(config: TextSearchConfig) -> SearchPart:
    """What a search learns from."""
    corpus = texts.load(config.dataset, config.data_dir, config.min_count)
    data = TextSearchData(
        corpus,
        batch_size=config.batch_size,
        bptt=config.bptt,
        seed=sub_seed(config.seed, "lengths"),
        short_probability=config.short_probability,
        steps_per_epoch=config.steps_per_epoch,
        evaluation_batch_size=config.evaluation_batch_size,
        joint=config.optimization != "bilevel",
    )
    words = corpus.vocabulary.size
    perplexity = unigram_perplexity(words, corpus.train, corpus.validation)
    baseline = (WORD_FREQUENCIES, perplexity)
    tell(corpus.summary())
    small = {
        "batch_size": config.batch_size,
        "evaluation_batch_size": config.evaluation_batch_size,
    }

    def check_training(training: TextTrainingConfig) -> None:
        _training_data(training, corpus)

    return SearchPart(data, TextFacts(words), baseline, check_training, small)


def _training_data(config: TextTrainingConfig, corpus: Corpus) -> TextTrainingData:
    return TextTrainingData(
        corpus,
        batch_size=config.batch_size,
        bptt=config.bptt,
        seed=sub_seed(config.seed, "lengths"),
        short_probability=config.short_probability,
        steps_per_epoch=config.steps_per_epoch,
        evaluation_batch_size=config.evaluation_batch_size,
    )


def training_part(config: TextTrainingConfig) -> TrainingPart:
    """What a training learns from."""
    corpus = texts.load(config.dataset, config.data_dir, config.min_count)
    words = corpus.vocabulary.size
    baseline = (WORD_FREQUENCIES, unigram_perplexity(words, corpus.train, corpus.validation))
    data = _training_data(config, corpus)
    tell(corpus.summary())
    return TrainingPart(data, TextFacts(words), baseline)


def test_part(config: TextTrainingConfig) -> TestPart:
    """What a training is tested on: this reads the test part."""
    corpus = texts.load(config.dataset, config.data_dir, config.min_count, with_test=True)
    size, words = config.test_batch_size, corpus.vocabulary.size
    baseline = (WORD_FREQUENCIES, unigram_perplexity(words, corpus.train, corpus.test))
    batches = text_test(corpus, batch_size=size, bptt=config.bptt)
    data = _training_data(config, corpus)
    tell(corpus.summary())
    tested = fingerprint_of_test(corpus)
    return TestPart(batches, size, baseline, data, tested, TextFacts(words))
