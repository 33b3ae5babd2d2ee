"""Mean cross-entropy of a softmax layer, with its gradient prepared in the forward pass."""

import tensorflow as tf

from tf_darts.runtime.custom_gradient import custom_gradient
from tf_darts.runtime.precision import matmul
from tf_darts.spaces.fast_forms import register
from tf_darts.spaces.recurrent.word_model import WordModel


@register(WordModel, "always")
def tied_cross_entropy(model: WordModel, dropped: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """`model.cross_entropy(dropped, targets)`."""
    return softmax_cross_entropy(
        tf.reshape(dropped, [-1, model.units]),
        tf.convert_to_tensor(model.embedding),
        tf.convert_to_tensor(model.bias),
        tf.reshape(targets, [-1]),
    )


@custom_gradient
def softmax_cross_entropy(
    features: tf.Tensor, embedding: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor
) -> tuple[tf.Tensor, object]:
    """-mean log softmax(features · embeddingᵀ + bias)[targets].

    The [rows, words] matrices are what costs here. The probabilities are already there for the
    gradient, so the normaliser comes from the largest logit and its probability, without another
    pass of exponentials: log Σ exp = max logit - log max probability. Scaling the small products
    by the upstream gradient, rather than ∂loss/∂logits, saves a pass over it, and a product
    nobody asks for is never computed. The products may be computed in 16 bits, the rest is not.

    Args:
      features: [rows, units].
      embedding: [words, units], tied to the input embedding.
      bias: [words].
      targets: int [rows].

    Returns:
      Scalar, in nats.
    """
    logits = tf.nn.bias_add(matmul(features, embedding, transpose_b=True), bias)
    probabilities = tf.nn.softmax(logits)
    rows = tf.shape(features)[0]
    chosen = tf.stack([tf.range(rows), tf.cast(targets, tf.int32)], axis=-1)
    peak = tf.reduce_max(probabilities, axis=-1)  # at least 1 / words: its logarithm is harmless
    normalizer = tf.reduce_max(logits, axis=-1) - tf.math.log(peak)
    losses = normalizer - tf.gather_nd(logits, chosen)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, None]:
        scale = upstream / tf.cast(rows, features.dtype)
        slope = tf.tensor_scatter_nd_sub(probabilities, chosen, tf.ones([rows], features.dtype))
        return (
            scale * matmul(slope, embedding),
            matmul(slope, scale * features, transpose_a=True),
            scale * tf.reduce_sum(slope, axis=0),
            None,
        )

    return tf.reduce_mean(losses), gradient
