"""Several runs in one process, as of a study or a notebook: what TensorFlow says and keeps."""

import contextlib
import ctypes
import gc
import logging
from collections.abc import Iterator

import keras
import tensorflow as tf


@contextlib.contextmanager
def without_retracing_warnings() -> Iterator[None]:
    """TensorFlow does not warn of functions that are traced again: every run has its own."""
    logger = tf.get_logger()
    logger.addFilter(_is_no_retracing)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_retracing)


def give_back_memory() -> None:
    """Gives free what is left of runs that are over, in a process that does nothing else.

    Graphs and engines refer to themselves in circles. TensorFlow keeps a kernel of each operation
    that was ever called, and every variable is made by one of its own: of a search on images these
    are 45 MB, which Keras clears together with its settings. The C library keeps what was given
    free.
    """
    gc.collect()
    keras.backend.clear_session()
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _is_no_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
