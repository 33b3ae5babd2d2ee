import numpy as np
import pytest
import tensorflow as tf

from tf_darts.optimization.loss_scale import LossScale
from tf_darts.runtime.precision import Precision


def test_who_needs_one():
    assert (
        float(LossScale.needed_by(Precision.from_name("mixed_float16")).value) == LossScale.INITIAL
    )
    for name in ("float32", "float64", "mixed_bfloat16"):
        assert LossScale.needed_by(Precision.from_name(name)) is None


def test_unscaled():
    scale = LossScale()
    gradients = [tf.constant([3.0, -1e-20]) * scale.value, tf.constant(0.1) * scale.value]
    np.testing.assert_array_equal(scale.unscaled(gradients)[0], np.float32([3.0, -1e-20]))
    np.testing.assert_array_equal(scale.unscaled(gradients)[1], np.float32(0.1))


@pytest.mark.parametrize(
    ("loss", "gradient", "value", "wanted"),
    [
        (1.0, [1.0, 2.0], 8.0, False),
        (1.0, [1.0, np.inf], 8.0, True),
        (1.0, [np.nan, 2.0], 8.0, True),
        (np.nan, [np.nan, 2.0], 8.0, False),  # the loss diverged, whatever the scale
        (1.0, [np.inf, 2.0], 1.0, False),  # no scale is to blame
    ],
)
def test_too_large(loss, gradient, value, wanted):
    scale = LossScale()
    scale.value.assign(value)
    gradients = [tf.constant([0.0]), tf.constant(gradient, tf.float32)]
    assert bool(scale.too_large(tf.constant(loss), gradients)) == wanted


def test_halved_until_it_fits():
    scale, seen = LossScale(), []

    def take():
        seen.append(float(scale.value))
        return seen[-1]

    assert scale.retry_until_finite(take, lambda value: value > 5000.0) == 4096.0
    assert seen == [32768.0, 16384.0, 8192.0, 4096.0]
    assert scale.retry_until_finite(take, lambda value: value > 5000.0) == 4096.0
    assert len(seen) == 5


def test_doubled_after_many_good_steps(monkeypatch):
    monkeypatch.setattr(LossScale, "GROWTH_STEPS", 3)
    monkeypatch.setattr(LossScale, "MOST", 2.0**17)
    scale, seen = LossScale(), []
    for _ in range(2):
        scale.count_step()
    scale.halve()  # begins the count anew
    for _ in range(12):
        scale.count_step()
        seen.append(int(np.log2(scale.value)))
    assert seen == [14, 14, 15, 15, 15, 16, 16, 16, 17, 17, 17, 17]
