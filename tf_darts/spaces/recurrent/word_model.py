"""What every language model has around its cell: embedding, dropout, and a decoder tied to it."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_darts.runtime.precision import matmul
from tf_darts.runtime.seeds import sub_seed
from tf_darts.spaces.fast_forms import fast_form
from tf_darts.spaces.recurrent.relaxed.cell import dropout_mask, initial_uniform

DROPOUTS = (
    "embedding_dropout",
    "input_dropout",
    "cell_input_dropout",
    "hidden_dropout",
    "output_dropout",
)


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


class WordModel:
    """The common part of word-level language models, mixed into a Keras layer or model.

    Dropout is variational: one mask per sequence, the same at every time step, except on the
    embedding, where whole rows (words) are dropped. All masks come from the `seed` argument.

    Attributes:
      words, units, seed: size of the vocabulary, width of embedding and hidden state, and the
        integer from which the initial weights come.
      embedding_dropout, input_dropout, output_dropout: rates.
      cell: a layer that takes `(inputs [T, B, U], hidden [B, U], *cell_arguments, seed=,
        training=)` and returns its outputs [T, B, U] and the next hidden state [B, U].
    """

    words: int
    units: int
    seed: int
    embedding_dropout: float
    input_dropout: float
    output_dropout: float
    cell: keras.layers.Layer

    def build(self, *shapes: Any, **named_shapes: Any) -> None:
        """Makes the variables; they depend on no shape of the inputs."""
        del shapes, named_shapes
        self.embedding = self.add_weight(
            name="embedding",
            shape=(self.words, self.units),
            initializer=initial_uniform(sub_seed(self.seed, "embedding")),
        )
        self.cell.build()
        self.bias = self.add_weight(name="bias", shape=(self.words,), initializer="zeros")

    def features(
        self,
        inputs: tf.Tensor,
        hidden: tf.Tensor,
        *cell_arguments: tf.Tensor,
        seed: tf.Tensor | None = None,
        training: bool = False,
    ) -> Features:
        """The model up to its decoder.

        Args:
          inputs: int [T, B], word numbers.
          hidden: [B, U].
          *cell_arguments: what else the cell takes.
          seed: int32 [2], needed in training.
          training: with dropout, or without.
        """
        table = tf.convert_to_tensor(self.embedding)
        embedded = tf.gather(table, inputs)
        if not training:
            outputs, hidden = self.cell(embedded, hidden, *cell_arguments)
            return Features(outputs, outputs, hidden)
        seeds = tf.random.experimental.stateless_split(seed, 4)
        if self.embedding_dropout:
            # One draw for each word, used where the word is: the whole table is not copied.
            word_mask = dropout_mask([self.words, 1], self.embedding_dropout, seeds[0], table.dtype)
            embedded *= tf.gather(word_mask, inputs)
        shape = tf.shape(hidden)
        embedded *= dropout_mask(shape, self.input_dropout, seeds[1], table.dtype)
        outputs, hidden = self.cell(embedded, hidden, *cell_arguments, seed=seeds[2], training=True)
        mask = dropout_mask(shape, self.output_dropout, seeds[3], table.dtype)
        return Features(outputs * mask, outputs, hidden)

    def cross_entropy(self, dropped: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Mean cross-entropy in nats of targets [T, B] given `Features.dropped` [T, B, U]."""
        if (fast := fast_form(WordModel, self, dropped, targets)) is not None:
            return fast()
        logits = self.decode(dropped)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))

    def decode(self, dropped: tf.Tensor) -> tf.Tensor:
        """The logits [T, B, words] of `Features.dropped` [T, B, U]."""
        flat = tf.reshape(dropped, [-1, self.units])
        logits = matmul(flat, tf.convert_to_tensor(self.embedding), transpose_b=True)
        logits = tf.nn.bias_add(logits, tf.convert_to_tensor(self.bias))
        return tf.reshape(logits, tf.concat([tf.shape(dropped)[:-1], [self.words]], axis=0))


def temporal_activation(features: Features) -> tf.Tensor:
    """Temporal activation regularisation: mean((h_t - h_{t-1})²); 0 for a single time step."""
    changes = tf.square(features.outputs[1:] - features.outputs[:-1])
    # The mean of nothing is not a number; its gradient is that of nothing.
    has_changes = tf.shape(features.outputs)[0] > 1
    return tf.where(has_changes, tf.reduce_mean(changes), tf.zeros([], changes.dtype))
