"""The control without α's steps."""

import numpy as np

from tests.support.toy_search import config, search


def test_alpha_stays_and_w_moves(tmp_path, eagerly):
    alpha, weights, history = search(tmp_path, made=config(rules="frozen_alphas", epochs=2))
    again, _, _ = search(tmp_path / "b", made=config(rules="frozen_alphas", epochs=1))
    np.testing.assert_array_equal(alpha, again)
    assert not np.array_equal(weights, [0.5, -0.5])
    assert np.abs(alpha).max() < 0.01  # as it began: nearly equal
    assert not any("validation_batch_loss" in record for record in history)
