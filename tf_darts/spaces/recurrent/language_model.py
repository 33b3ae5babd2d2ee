"""The language model around the relaxed cell: embedding, dropout, cell, dropout, tied decoder."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_darts.runtime.seeds import derived_seed
from tf_darts.spaces.recurrent.cell import INITIAL_RANGE, RelaxedRecurrentCell, dropout_mask
from tf_darts.spaces.recurrent.tied_softmax import softmax_cross_entropy


class Features(NamedTuple):
    """The model up to its decoder, over a sequence.

    Attributes:
      dropped: [T, B, U], the cell's outputs after output dropout: what the decoder takes.
      outputs: [T, B, U], the cell's outputs, not dropped: what slowness is taken of.
      hidden: [B, U], the next hidden state.
    """

    dropped: tf.Tensor
    outputs: tf.Tensor
    hidden: tf.Tensor


class RelaxedLanguageModel(keras.layers.Layer):
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

    Example:
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
            derived_seed(seed, "cell"),
            dtype=self.dtype_policy,
        )

    def build(self, *shapes: Any) -> None:
        del shapes
        self.embedding = self.add_weight(
            name="embedding",
            shape=(self.words, self.units),
            initializer=keras.initializers.RandomUniform(
                -INITIAL_RANGE, INITIAL_RANGE, seed=derived_seed(self.seed, "embedding")
            ),
        )
        self.cell.build()
        self.bias = self.add_weight(name="bias", shape=(self.words,), initializer="zeros")

    def features(
        self,
        inputs: tf.Tensor,
        hidden: tf.Tensor,
        mixing: tf.Tensor,
        seed: tf.Tensor | None = None,
        training: bool = False,
    ) -> Features:
        """The model up to its decoder; arguments as for `call`."""
        table = tf.convert_to_tensor(self.embedding)
        if not training:
            outputs, hidden = self.cell(tf.gather(table, inputs), hidden, mixing)
            return Features(outputs, outputs, hidden)
        seeds = tf.random.experimental.stateless_split(seed, 4)
        if self.embedding_dropout:
            table *= dropout_mask([self.words, 1], self.embedding_dropout, seeds[0], table.dtype)
        shape = tf.shape(hidden)
        embedded = tf.gather(table, inputs) * dropout_mask(
            shape, self.input_dropout, seeds[1], table.dtype
        )
        outputs, hidden = self.cell(embedded, hidden, mixing, seed=seeds[2], training=True)
        mask = dropout_mask(shape, self.output_dropout, seeds[3], table.dtype)
        return Features(outputs * mask, outputs, hidden)

    def cross_entropy(self, dropped: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Mean cross-entropy in nats of targets [T, B] given `Features.dropped` [T, B, U]."""
        return softmax_cross_entropy(
            tf.reshape(dropped, [-1, self.units]),
            tf.convert_to_tensor(self.embedding),
            tf.convert_to_tensor(self.bias),
            tf.reshape(targets, [-1]),
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
        features = self.features(inputs, hidden, mixing, seed, training)
        flat = tf.reshape(features.dropped, [-1, self.units])
        logits = tf.matmul(flat, tf.convert_to_tensor(self.embedding), transpose_b=True)
        logits = tf.nn.bias_add(logits, tf.convert_to_tensor(self.bias))
        shape = tf.concat([tf.shape(inputs), [self.words]], axis=0)
        return tf.reshape(logits, shape), features.hidden

    def get_config(self) -> dict[str, Any]:
        """Round-trips through `from_config`."""
        names = (
            "words units nodes embedding_dropout input_dropout cell_input_dropout"
            " hidden_dropout output_dropout seed"
        )
        return super().get_config() | {name: getattr(self, name) for name in names.split()}
