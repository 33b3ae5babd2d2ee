"""How a served network refuses a request: one sentence, before anything is computed of it."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

ROWS = 256  # examples that one request may hold


def refuse_unless(
    condition: tf.Tensor, sentence: str | tf.Tensor, values: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """The same values where a condition holds; otherwise the request is refused.

    What is computed of the returned values waits for the condition. Nothing else does: TensorFlow
    runs an assertion at the same time as what does not depend on it, so that a size which is
    refused may have been allocated, and another error may come first.

    Args:
      condition: bool, of any shape; it holds where all its elements are true.
      sentence: what is printed, a scalar; TensorFlow escapes quotation marks.
      values: what the condition is about.

    Raises:
      tf.errors.InvalidArgumentError: where it runs, if the condition does not hold.
    """
    holds = tf.reduce_all(condition)
    # Not tf.debugging.Assert, which says other things where it is eager.
    check = tf.raw_ops.Assert(condition=holds, data=[sentence], summarize=1)
    with tf.control_dependencies([] if check is None else [check]):
        return [tf.identity(value) for value in values]


def within(values: tf.Tensor, minimum: float, maximum: float, name: str) -> tf.Tensor:
    """The same numbers, if each is from `minimum` to `maximum`; NaN is within nothing.

    Args:
      values: numbers.
      minimum: the smallest that is allowed.
      maximum: the largest.
      name: they are, the beginning of the sentence.
    """
    sentence = f"{name} must be from {minimum} to {maximum}."
    inside = (values >= tf.cast(minimum, values.dtype)) & (values <= tf.cast(maximum, values.dtype))
    return refuse_unless(inside, sentence, [values])[0]


def check_batch(
    inputs: Mapping[str, tf.Tensor], specs: Mapping[str, tf.TensorSpec], rows: int
) -> dict[str, tf.Tensor]:
    """The inputs of a signature, if they have its shapes and are one batch of a size allowed.

    Servers do not compare what they are sent with the shapes of a signature.

    Args:
      inputs: by name.
      specs: their shapes and types.
      rows: that a batch may have.
    """
    tensors = {}
    for name, spec in specs.items():
        # Compared as texts, since comparing shapes of different ranks is an error of its own.
        value = tf.raw_ops.PlaceholderWithDefault(input=inputs[name], shape=tf.TensorShape(None))
        shape = tf.strings.reduce_join(tf.strings.as_string(tf.shape(value)), separator=",")
        sizes = ("[0-9]+" if size is None else str(size) for size in spec.shape)
        fits = tf.strings.regex_full_match(shape, ",".join(sizes))
        about = f"{name} must have the shape {shape_in_words(spec)}, not ["
        (value,) = refuse_unless(fits, tf.strings.join([about, shape, "]."]), [value])
        tensors[name] = tf.ensure_shape(value, spec.shape)
    batches = tf.stack([tf.shape(value)[0] for value in tensors.values()])
    sentence = f"{', '.join(tensors)} must have as many rows."
    batches, *values = refuse_unless(batches == batches[0], sentence, [batches, *tensors.values()])
    sentence = f"A request must have from 1 to {rows} rows; send more of them in several requests."
    values = refuse_unless((batches >= 1) & (batches <= rows), sentence, values)
    return {
        name: tf.ensure_shape(value, specs[name].shape)
        for name, value in zip(tensors, values, strict=True)
    }


def shape_in_words(spec: tf.TensorSpec | tf.Tensor) -> str:
    """The shape of a tensor for people; ? is any size."""
    return f"[{', '.join('?' if size is None else str(size) for size in spec.shape)}]"
