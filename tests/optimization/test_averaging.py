"""Averaged SGD: the mean of the weights since it began, and when it begins."""

import keras
import numpy as np
import pytest

from tf_darts.optimization.averaging import WeightAverage, should_start_averaging


def test_the_mean_is_of_the_steps_since_the_start():
    random = np.random.default_rng(0)
    weights = [keras.Variable(np.zeros(shape), dtype="float64") for shape in [(3, 2), (4,)]]
    average = WeightAverage(weights)
    seen = []
    for step in range(7):
        if step == 3:
            average.start()
        for weight in weights:
            weight.assign(random.standard_normal(weight.shape))
        seen.append([weight.numpy() for weight in weights])
        average.update()
    assert int(average.count) == 4
    for i, mean in enumerate(average.values):
        np.testing.assert_allclose(mean.numpy(), np.mean([s[i] for s in seen[3:]], axis=0))


@pytest.mark.parametrize(
    ("losses", "loss", "patience", "starts"),
    [
        ([5.0, 4.0, 3.0], 3.5, 2, False),  # worse than the recent ones, better than 5
        ([3.2, 4.0, 3.0], 3.5, 2, True),  # worse than 3.2, which is not recent
        ([3.2, 4.0, 3.0], 3.1, 2, False),  # worse than the best, but the best is recent
        ([3.2, 4.0, 3.0], 3.2, 2, False),  # as good is not worse
        ([3.0, 9.0], 9.0, 2, False),  # all are recent
        ([3.0, 9.0, 9.0], 3.1, 2, True),
        ([3.0, 2.0], 2.5, 1, False),
        ([3.0, 2.0], 3.5, 1, True),
    ],
)
def test_the_non_monotone_trigger(losses, loss, patience, starts):
    assert should_start_averaging(losses, loss, patience) is starts
