"""Who computes a loss is told whether its weights are constants."""

import threading

import pytest
import tensorflow as tf

from tf_darts.bilevel.loss import PlainLoss
from tf_darts.spaces.constant_weights import are_constant, constant_weights

POINT = [tf.constant([2.0])], {"cell": tf.constant([[3.0]])}


def test_it_ends_where_it_is_closed():
    with pytest.raises(ZeroDivisionError), constant_weights():
        with constant_weights(False):
            assert not are_constant()
        assert are_constant()
        raise ZeroDivisionError
    assert not are_constant()


def test_another_thread_s_are_its_own():
    seen = []
    with constant_weights():
        thread = threading.Thread(target=lambda: seen.append(are_constant()))
        thread.start()
        thread.join()
    assert seen == [False]


@pytest.mark.parametrize(
    ("derivative", "expected"),
    [
        (lambda loss: loss.gradients(*POINT), [False]),
        (lambda loss: loss.gradients(*POINT, of_alphas=False), [False]),
        (lambda loss: loss.gradients(*POINT, of_weights=False), [True]),
        (lambda loss: loss.mixed_product(*POINT, POINT[0]), [False]),
        (lambda loss: loss.hessian_product(*POINT, [tf.ones([1, 1])]), [True]),
    ],
)
def test_they_are_constants_where_nobody_differentiates_by_them(derivative, expected):
    seen = []

    def value(weights, alphas):
        seen.append(are_constant())
        return tf.reduce_sum(weights[0] ** 2 * alphas["cell"] ** 2), ()

    derivative(PlainLoss(value))
    assert seen == expected
    assert not are_constant()
