"""A trained language model as plain functions: as it is exported, and as it was trained."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tf_darts.spaces.recurrent.derived.objective import LanguageModel
from tf_darts.spaces.recurrent.derived.recurrence import derived_recurrence, derived_step


class LanguageFunctions(NamedTuple):
    """A language model as functions; T time steps, B sequences, U units.

    Attributes:
      features: word numbers int32 [T, B] and hidden state float32 [B, U] to outputs [T, B, U].
      step: the same for one time step: [B] and [B, U] to [B, U], the next hidden state.
      decode: outputs [..., U] to logits [..., words].
    """

    features: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    step: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    decode: Callable[[tf.Tensor], tf.Tensor]


def exported_functions(model: LanguageModel) -> LanguageFunctions:
    """The model in plain TensorFlow: no XLA, which servers may lack, and no gradient."""

    def kernels() -> tuple[tf.Tensor, list[tf.Tensor]]:
        cell = model.cell
        nodes = [tf.convert_to_tensor(kernel) for kernel in cell.node_kernels]
        return tf.convert_to_tensor(cell.input_kernel), nodes

    def embedded(tokens: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.convert_to_tensor(model.embedding), tokens)

    def features(tokens: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        inputs = embedded(tokens)
        return derived_recurrence(model.genotype, inputs, hidden, *kernels(), 1.0, 1.0)

    def step(token: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        return derived_step(model.genotype, embedded(token), hidden, *kernels())

    return LanguageFunctions(features, step, model.decode)


def trained_functions(model: LanguageModel) -> LanguageFunctions:
    """The model as it computes in its training's validation; its precision may be another."""

    def features(tokens: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        hidden = tf.cast(hidden, model.compute_dtype)
        return tf.cast(model.features(tokens, hidden).outputs, tf.float32)

    def step(token: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        return features(token[tf.newaxis], hidden)[0]

    def decode(outputs: tf.Tensor) -> tf.Tensor:
        return tf.cast(model.decode(tf.cast(outputs, model.compute_dtype)), tf.float32)

    return LanguageFunctions(features, step, decode)
