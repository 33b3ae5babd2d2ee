"""The language model around the relaxed cell."""

from typing import Any

import keras
import tensorflow as tf

from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.recurrent.relaxed.cell import RelaxedRecurrentCell
from tf_darts.spaces.recurrent.word_model import DROPOUTS, WordModel


class RelaxedLanguageModel(WordModel, keras.layers.Layer):
    """A word-level language model with a relaxed recurrent cell (docs/method.md section 5).

    Dropout is variational: one mask per sequence, the same at every time step, except on the
    embedding, where whole rows (words) are dropped. All masks come from the `seed` argument.

    Args:
      words: size of the vocabulary.
      units: width of embedding and hidden state.
      nodes: searched nodes of the cell.
      embedding_dropout: rate at which words are dropped.
      input_dropout: rate on the embedded words.
      cell_input_dropout: rate on x inside the cell.
      hidden_dropout: rate on the states inside the cell.
      output_dropout: rate on the cell's outputs.
      seed: integer, for the initial weights.

    Examples:
      >>> model = RelaxedLanguageModel(words=50, units=16)
      >>> text = tf.zeros([7, 4], tf.int32)
      >>> logits, hidden = model(text, tf.zeros([4, 16]), tf.fill([36, 5], 0.2))
      >>> logits.shape
      TensorShape([7, 4, 50])
    """

    def __init__(
        self,
        words: int,
        units: int,
        nodes: int = 8,
        embedding_dropout: float = 0.0,
        input_dropout: float = 0.0,
        cell_input_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        output_dropout: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.words = words
        self.units = units
        self.nodes = nodes
        self.embedding_dropout = embedding_dropout
        self.input_dropout = input_dropout
        self.cell_input_dropout = cell_input_dropout
        self.hidden_dropout = hidden_dropout
        self.output_dropout = output_dropout
        self.seed = seed
        self.cell = RelaxedRecurrentCell(
            units,
            nodes,
            cell_input_dropout,
            hidden_dropout,
            sub_seed(seed, "cell"),
            dtype=self.dtype_policy,
        )

    def call(
        self,
        inputs: tf.Tensor,
        hidden: tf.Tensor,
        mixing: tf.Tensor,
        seed: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the logits [T, B, words] and the next hidden state [B, U].

        Args:
          inputs: int [T, B], word numbers.
          hidden: [B, U].
          mixing: [edges, 5], mixing weights.
          seed: int32 [2], needed in training.
          training: with dropout and batch statistics, or without.
        """
        features = self.features(inputs, hidden, mixing, seed=seed, training=training)
        return self.decode(features.dropped), features.hidden

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = ("words", "units", "nodes", *DROPOUTS, "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}
