"""Drawing words from a language model's distribution."""

import numpy as np
import tensorflow as tf

_SMALLEST = np.finfo(np.float32).tiny  # what is below may be 0 in one operation, not in the next


def draw(
    logits: tf.Tensor, chances: tf.Tensor, temperature: tf.Tensor, top_k: tf.Tensor
) -> tf.Tensor:
    """One word for each row, int32 [batch].

    The words are put in the order of their probabilities ∝ exp(logit / temperature), all but the
    first `top_k` are left out, and `chances` says how far to go in what remains.

    Args:
      logits: float32 [batch, words].
      chances: float32 [batch], uniform in 0..1.
      temperature: float32 [batch]; 0 takes the likeliest word.
      top_k: int32 [batch]; 0 leaves out none.
    """
    words = tf.shape(logits)[-1]
    order = tf.argsort(logits, direction="DESCENDING", stable=True)
    ordered = tf.gather(logits, order, batch_dims=1)
    greedy = temperature < _SMALLEST
    # The largest first, so that no temperature, however low, makes an infinite number.
    scaled = (ordered - ordered[:, :1]) / tf.where(greedy, 1.0, temperature)[:, tf.newaxis]
    allowed = tf.where(greedy, 1, tf.where(top_k > 0, tf.minimum(top_k, words), words))
    in_top_k = tf.range(words) < allowed[:, tf.newaxis]
    sums = tf.cumsum(tf.where(in_top_k, tf.nn.softmax(scaled), 0.0), axis=-1)
    passed = tf.cast(sums <= chances[:, tf.newaxis] * sums[:, -1:], tf.int32)
    rank = tf.minimum(tf.reduce_sum(passed, axis=-1), allowed - 1)
    return tf.gather(order, rank, batch_dims=1)


def uniform_rows(seeds: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Uniform numbers in 0..1, float32 [batch, count]: each row's depend on its own seed only.

    Args:
      seeds: int32 [batch].
      count: scalar.
    """

    def row(seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([count], tf.stack([seed, 0]), alg="philox")

    return tf.map_fn(row, seeds, fn_output_signature=tf.TensorSpec([None], tf.float32))
