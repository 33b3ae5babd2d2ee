"""An activation that tests add, always the same one: compiled clusters know it by its column."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tests.support.registries import forget_members
from tf_darts.spaces.recurrent.activations import add_activation


def swish(x):
    return x * tf.sigmoid(x)


def swish_in_numpy(x):
    return x / (1.0 + np.exp(-x))


@contextlib.contextmanager
def added():
    """Inside, the recurrent space has it."""
    with pytest.MonkeyPatch.context() as patch:
        forget_members(patch)
        add_activation("swish", swish)
        yield
