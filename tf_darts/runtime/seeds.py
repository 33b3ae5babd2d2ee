"""Randomness as an argument: every draw comes from (run seed, what it is for, when)."""

from __future__ import annotations

import hashlib

from etils import epy

with epy.lazy_imports():  # `sub_seed` is of NumPy's draws too, which need no TensorFlow
    import tensorflow as tf


def sub_seed(seed: int, *purpose: str | int) -> int:
    """A 31-bit seed for one purpose of a run, unrelated to those of other purposes and runs."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def step_seed(seed: int, step: tf.Tensor, attempt: tf.Tensor) -> tf.Tensor:
    """The int32 [2] seed of a search step, for `tf.random.stateless_*`.

    Args:
      seed: the run's.
      step: scalar integer, counted over the whole run.
      attempt: scalar integer, how often the run was rolled back: a step that diverged is not
        repeated with the masks that made it diverge.
    """
    base = tf.constant([sub_seed(seed, "step"), sub_seed(seed, "mask")], tf.int32)
    folded = tf.random.experimental.stateless_fold_in(base, tf.cast(step, tf.int32))
    return tf.random.experimental.stateless_fold_in(folded, tf.cast(attempt, tf.int32))


def seeds_of_step(seed: int, step: tf.Tensor, attempt: tf.Tensor) -> list[tf.Tensor]:
    """Four seeds of a search step, int32 [2] each; arguments as of `step_seed`."""
    return tf.unstack(tf.random.experimental.stateless_split(step_seed(seed, step, attempt), 4))
