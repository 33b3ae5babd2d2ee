"""Weights as a few vectors."""

import keras
import numpy as np

from tf_darts.optimization import groups


def test_there_and_back(monkeypatch):
    monkeypatch.setattr(groups, "_SIZE", 10)
    shapes = [(2, 3), (4,), (1,), (5, 5), (3,), (7,), ()]
    rng = np.random.default_rng(0)
    weights = [keras.Variable(rng.standard_normal(shape)) for shape in shapes]
    made = groups.WeightGroups(weights)
    assert made.sizes == [10, 1, 25, 10, 1]
    vectors = made.join([weight.value for weight in weights])
    assert [vector.shape[0] for vector in vectors] == made.sizes
    np.testing.assert_array_equal(vectors[0][:6], np.ravel(weights[0]))
    for value, weight in zip(made.split(vectors), weights, strict=True):
        assert value.shape == weight.shape
        np.testing.assert_array_equal(value, weight)


def test_no_weights():
    made = groups.WeightGroups([])
    assert made.sizes == made.join([]) == made.split([]) == []
