"""Mean cross-entropy of a softmax layer, with its gradient prepared in the forward pass."""

import tensorflow as tf


@tf.custom_gradient
def softmax_cross_entropy(
    features: tf.Tensor, embedding: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor
) -> tuple[tf.Tensor, object]:
    """-mean log softmax(features · embeddingᵀ + bias)[targets].

    The [rows, words] matrices are what costs here. TensorFlow's kernel leaves ∂loss/∂logits
    behind with the loss; scaling the small products by the upstream gradient, rather than that
    matrix, saves a pass over it, and a product nobody asks for is never computed.

    Args:
      features: [rows, units].
      embedding: [words, units], tied to the input embedding.
      bias: [words].
      targets: int [rows].

    Returns:
      Scalar, in nats.
    """
    logits = tf.nn.bias_add(tf.matmul(features, embedding, transpose_b=True), bias)
    losses, slope = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=logits, labels=targets)
    rows = tf.cast(tf.shape(features)[0], features.dtype)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, None]:
        scale = upstream / rows
        return (
            scale * (slope @ embedding),
            scale * tf.matmul(slope, features, transpose_a=True),
            scale * tf.reduce_sum(slope, axis=0),
            None,
        )

    return tf.reduce_mean(losses), gradient
