"""The seed by which layers draw: an argument of a loss, which lies ready while it is computed.

A loss is pure: whatever it draws comes of its seed (`Supernet.loss`, `TrainingObjective.loss`). The
layers that draw are deep inside of models that know of no seed, so it is not handed through all of
them: who computes a loss says by what is drawn, and a layer asks for a seed of its own.

    with drawn_by(seed):
        logits = model(images, training=True)
"""

import contextlib
import threading
from collections.abc import Iterator

import tensorflow as tf

_here = threading.local()  # replicas are traced in threads


@contextlib.contextmanager
def drawn_by(seed: tf.Tensor | None) -> Iterator[None]:
    """Inside, layers draw by this seed.

    Args:
      seed: integers [2], as `tf.random.stateless_*` take them; None: as if nobody had said any.
    """
    outer, _here.seed = current_seed(), seed
    try:
        yield
    finally:
        _here.seed = outer


def current_seed() -> tf.Tensor | None:
    """What `drawn_by` was given; None where nothing was."""
    return getattr(_here, "seed", None)


@contextlib.contextmanager
def noticed() -> Iterator[list[int]]:
    """Yields a list to which the number of every layer is added that asks for a seed inside."""
    outer, _here.numbers = getattr(_here, "numbers", None), []
    try:
        yield _here.numbers
    finally:
        if outer is not None:
            outer += _here.numbers
        _here.numbers = outer


def seed_for(number: int) -> tf.Tensor:
    """The seed [2] of one of the layers that draw: another one for each number.

    Where nobody says by what is drawn, it is drawn too, by TensorFlow's global generator.

    Args:
      number: of the layer, 31 bits.
    """
    if getattr(_here, "numbers", None) is not None:
        _here.numbers.append(number)
    seed = current_seed()
    if seed is None:
        return tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
    return tf.random.experimental.stateless_fold_in(seed, number)
