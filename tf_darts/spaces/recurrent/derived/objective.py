"""Language models with a derived cell, and the door through which they are trained."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tf_darts.cells.genotype import RecurrentGenotype
from tf_darts.errors import check_count
from tf_darts.runtime.memory.traced import TracedMemory
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces import fast_forms
from tf_darts.spaces.objective import TrainingLoss, TrainingObjective
from tf_darts.spaces.recurrent import traced_memory
from tf_darts.spaces.recurrent.derived.cell import DerivedRecurrentCell, as_genotype
from tf_darts.spaces.recurrent.derived.counts import counts
from tf_darts.spaces.recurrent.word_model import DROPOUTS, WordModel, temporal_activation
from tf_darts.spaces.supernet import Evaluation

Batch = tuple[tf.Tensor, tf.Tensor]  # words and the words that follow them, int32 [T, B] each


@keras.saving.register_keras_serializable(package="tf_darts")
class LanguageModel(WordModel, keras.Model):
    """A word-level language model with one derived recurrent cell (docs/method.md section 5).

    Embedding, dropout, cell, dropout, and a decoder tied to the embedding. Dropout is variational:
    one mask per sequence, the same at every time step, except on the embedding, where whole rows
    (words) are dropped. The defaults are the paper's for Penn Treebank, in its 10,000 words
    22,960,000 weights.

    Args:
      genotype: the cell, or its `to_dict()`.
      words: size of the vocabulary.
      units: width of embedding and hidden state.
      embedding_dropout: rate at which words are dropped.
      input_dropout: rate on the embedded words.
      hidden_dropout: rate on the states inside the cell.
      cell_input_dropout: rate on x inside the cell.
      output_dropout: rate on the cell's outputs.
      seed: integer, for the initial weights, uniform in ±0.04 (the decoder's bias is 0), and for
        the masks where `call` is given no seed.

    Examples:
      >>> model = LanguageModel(PUBLISHED["recurrent"]["darts_v2"], words=50, units=16)
      >>> logits, hidden = model(tf.zeros([7, 4], tf.int32), tf.zeros([4, 16]))
      >>> logits.shape
      TensorShape([7, 4, 50])
    """

    def __init__(
        self,
        genotype: RecurrentGenotype | Mapping[str, Any],
        words: int,
        units: int = 850,
        embedding_dropout: float = 0.1,
        input_dropout: float = 0.2,
        hidden_dropout: float = 0.25,
        cell_input_dropout: float = 0.75,
        output_dropout: float = 0.75,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.genotype = as_genotype(genotype)
        check_count("words", words, "a language model")
        check_count("units", units, "a language model")
        self.words = words
        self.units = units
        self.embedding_dropout = embedding_dropout
        self.input_dropout = input_dropout
        self.hidden_dropout = hidden_dropout
        self.cell_input_dropout = cell_input_dropout
        self.output_dropout = output_dropout
        self.seed = seed
        self.cell = DerivedRecurrentCell(
            self.genotype,
            units,
            cell_input_dropout,
            hidden_dropout,
            sub_seed(seed, "cell"),
            dtype=self.dtype_policy,
        )
        self.mask_seeds = keras.random.SeedGenerator(sub_seed(seed, "masks"))

    def call(
        self,
        inputs: tf.Tensor,
        hidden: tf.Tensor,
        training: bool = False,
        seed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the logits [T, B, words] and the next hidden state [B, units].

        Args:
          inputs: int [T, B], word numbers.
          hidden: [B, units]; zeros at the beginning of a text.
          training: with dropout, or without.
          seed: int32 [2], of the masks; None draws another at each call.
        """
        if training and seed is None:
            seed = tf.cast(self.mask_seeds.next(), tf.int32)
        features = self.features(inputs, hidden, seed=seed, training=training)
        return self.decode(features.dropped), features.hidden

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("words", "units", *DROPOUTS, "seed")
        own = {name: getattr(self, name) for name in names}
        return super().get_config() | {"genotype": self.genotype.to_dict()} | own


class NextWordPrediction(TrainingObjective):
    """The training of a language model; its state is the hidden state [B, U] of a text.

    loss = cross-entropy + a · mean(d²) + β · mean((h_t - h_{t-1})²), h being the cell's outputs
    and d the same after dropout.

    Args:
      model: the language model; it is built here.
      temporal_activation_penalty: β, of the temporal activation regularisation.
      activation_penalty: a, of the activation regularisation.
      rematerialize: whether chunks of time steps are computed again in the backward pass.
    """

    measures: ClassVar[tuple[str, ...]] = ("loss",)
    score: ClassVar[str] = "perplexity"
    score_mode: ClassVar[str] = "min"
    batch_axis: ClassVar[int] = 1

    def __init__(
        self,
        model: LanguageModel,
        temporal_activation_penalty: float = 0.0,
        activation_penalty: float = 0.0,
        rematerialize: bool = False,
    ) -> None:
        if not model.built:
            model.build()
        model.cell.rematerialize = rematerialize
        self.model = model
        self.temporal_activation_penalty = temporal_activation_penalty
        self.activation_penalty = activation_penalty

    def counts(self) -> dict[str, int]:
        return counts(self.model.genotype, self.model.words, self.model.units)

    @property
    def batch_signature(self) -> Any:
        words = tf.TensorSpec([None, None], tf.int32)
        return (words, words)

    def traced_memory(self, batch: Any) -> TracedMemory:
        if fast_forms.allowed(DerivedRecurrentCell):
            recurrence = traced_memory.derived(self.model.genotype)
        else:
            recurrence = traced_memory.derived_clear(self.model.genotype, self.model.units)
        return traced_memory.of_model(self.model, recurrence, batch)

    def initial_state(self, batch_size: int) -> tf.Tensor:
        return tf.zeros([batch_size, self.model.units], self.model.compute_dtype)

    def loss(
        self, batch: Batch, state: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor
    ) -> TrainingLoss:
        del progress  # nothing here changes in the course of a training
        inputs, targets = batch
        features = self.model.features(inputs, state, seed=seed, training=True)
        cross_entropy = self.model.cross_entropy(features.dropped, targets)
        loss = cross_entropy
        if self.activation_penalty:
            loss += self.activation_penalty * tf.reduce_mean(tf.square(features.dropped))
        if self.temporal_activation_penalty:
            loss += self.temporal_activation_penalty * temporal_activation(features)
        return TrainingLoss(loss, {"loss": cross_entropy}, tf.stop_gradient(features.hidden))

    def evaluation_sums(self, batch: Batch, state: tf.Tensor) -> Evaluation:
        inputs, targets = batch
        features = self.model.features(inputs, state)
        mean = self.model.cross_entropy(features.dropped, targets)
        count = tf.cast(tf.size(targets), mean.dtype)
        return Evaluation({"loss": mean * count}, count, features.hidden)

    def scores(self, means: Mapping[str, float]) -> dict[str, float]:
        # e^709 is the largest float64; a diverging training must not die of its report.
        return {"loss": means["loss"], "perplexity": math.exp(min(means["loss"], 700.0))}
