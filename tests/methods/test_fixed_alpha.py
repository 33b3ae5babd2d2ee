"""A search in which α does not move."""

import numpy as np

from tests.support.toy_search import config, search
from tf_darts.bilevel.relaxation import initial_alphas
from tf_darts.testing.method import toy_config
from tf_darts.testing.toy_search import ToySupernet


def test_only_w_moves(tmp_path):
    made = toy_config("darts_first", rules="fixed_alpha", epochs=2)
    alpha, weights, history = search(tmp_path, made=made)
    first = initial_alphas(ToySupernet().cells, config().alpha_scale, 0)["cell"].numpy()
    np.testing.assert_array_equal(alpha, first)
    assert (weights != [0.5, -0.5]).all() and len(history) == 2
    assert made.label == "darts_first+fixed_alpha"
