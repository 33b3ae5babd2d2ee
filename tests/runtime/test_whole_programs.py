"""`--xla=step`: the same numbers by one program for each derivative, and what it cannot compile."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tests.bilevel import test_replicated_step as searches
from tests.training import test_replicated_step as trainings
from tf_darts.runtime import whole_programs
from tf_darts.runtime.replicas import SINGLE_REPLICA


@pytest.fixture
def xla():
    yield whole_programs.set_xla
    whole_programs.set_xla("auto")


PROGRAM = whole_programs._WholeProgram
SIGNATURE = (tf.TensorSpec([None], tf.float32),)


@pytest.mark.parametrize("name", ["auto", "off"])
def test_no_programs_are_made_unasked(xla, name):
    xla(name)
    assert not whole_programs.compiles_steps()
    assert not isinstance(whole_programs.compiled(tf.square, SIGNATURE), PROGRAM)


def test_what_xla_cannot_compile_is_said_once_and_computed(xla, capsys):
    xla("step")
    made = [
        whole_programs.compiled(lambda x: tf.strings.length(tf.strings.as_string(x)), SIGNATURE)
        for _ in range(2)
    ]
    for function in (*made, made[0]):
        np.testing.assert_array_equal(function(tf.constant([1.0, 22.0])), [8, 9])
    said = capsys.readouterr().err
    assert said.count("--xla=step: XLA cannot compile a derivative (") == 1, said
    assert not whole_programs.compiles_steps(), "what comes later is not tried"


def test_other_errors_are_still_the_kernels(xla):
    xla("step")
    function = whole_programs.compiled(lambda x: x[tf.newaxis] @ tf.ones([3, 1]), SIGNATURE)
    with pytest.raises(tf.errors.InvalidArgumentError):
        function(tf.constant([1.0]))


def _same(space, xla, capsys):
    taken = []
    for name in ("off", "step"):
        xla(name)
        with mock.patch.object(whole_programs, "_WholeProgram", wraps=PROGRAM) as made:
            taken.append(space())
        assert (made.call_count > 0) == (name == "step")
        assert whole_programs.compiles_steps() == (name == "step"), capsys.readouterr().err
    for ours, right in zip(*map(tf.nest.flatten, reversed(taken)), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "space",
    [pytest.param(space, marks=pytest.mark.long) for space in ("recurrent", "convolutional")],
)
def test_search_steps_are_the_same(xla, capsys, space):
    """Three steps, one of each estimate; of images two, in which the first order's two are."""
    with mock.patch.dict(searches.KINDS, convolutional=("exact", "finite_difference")):
        _same(lambda: searches.taken(space, SINGLE_REPLICA), xla, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("space", trainings.SPACES)
def test_training_steps_are_the_same(xla, capsys, space):
    _same(lambda: trainings._taken(space, SINGLE_REPLICA), xla, capsys)
