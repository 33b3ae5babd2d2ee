"""How pipelines of `tf.data` run: as many calls at once as there are cores, a few batches ahead.

`tf.data` would find these numbers by itself, by a thread for each iterator that looks at it from
time to time. Who is done with an iterator waits until this thread looks again: two seconds after
one of three, and half a minute after each epoch of a search on small images. So it is switched off,
and there is no `tf.data.AUTOTUNE` in this package.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_darts.runtime.threads import cores

_AHEAD = 2  # batches that are made while one is computed with


def mapped(dataset: tf.data.Dataset, function: Callable[..., Any]) -> tf.data.Dataset:
    """A function of each element, in their order, of several elements at once.

    It is traced as it stands: AutoGraph would take a second to find no Python conditions in it.
    """
    traced = tf.autograph.experimental.do_not_convert(function)
    return dataset.map(traced, num_parallel_calls=cores(), deterministic=True)


def read_ahead(batches: tf.data.Dataset) -> tf.data.Dataset:
    """What is iterated over: the end of a pipeline of batches."""
    return batches.prefetch(_AHEAD).with_options(options())


def options() -> tf.data.Options:
    """Those of every pipeline that is iterated over."""
    made = tf.data.Options()
    made.autotune.enabled = False
    return made
