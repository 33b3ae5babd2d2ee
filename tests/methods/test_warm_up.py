"""Epochs in which only w moves."""

import numpy as np
import pytest

from tests.support.toy_search import Events, config, search, without_time
from tf_darts.bilevel.relaxation import initial_alphas
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.testing.method import toy_config
from tf_darts.testing.toy_search import ToySupernet


def warm(epochs):
    return toy_config("darts_first", rules="warm_up", warm_up_epochs=epochs, epochs=3)


def test_alpha_stands_still_and_then_moves(tmp_path):
    events = Events()
    alpha, weights, history = search(tmp_path, events, made=warm(2))
    first = initial_alphas(ToySupernet().cells, config().alpha_scale, 0)["cell"].numpy()
    tables = [np.array(record["mixing"]["cell"]) for record in history]
    still = np.exp(first) / np.exp(first).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tables[0], still, rtol=1e-6)
    assert (tables[1] == tables[0]).all() and (tables[2] != tables[1]).any()
    assert (alpha != first).any() and (weights != [0.5, -0.5]).all()
    # No validation batch was taken, and none is made up.
    kinds = [[name for name in record if "validation_batch" in name] for record in history]
    assert [bool(names) for names in kinds] == [False, False, True]
    assert events.metrics.keys() >= {"hypergradient_norm", "validation_loss"}


def test_w_moves_as_with_a_rate_of_zero_for_alpha(tmp_path):
    """The first epoch's w is that of a search whose α hardly moves."""
    _, _, frozen = search(tmp_path / "frozen", made=warm(1))
    settings = {"hypergradient": "first_order", "alpha_learning_rate": 1e-30, "alpha_scale": 1e-3}
    _, _, slow = search(tmp_path / "slow", **settings)
    first, other = without_time(frozen)[0], without_time(slow)[0]
    for name in ("train_loss", "validation_loss"):
        assert first[name] == pytest.approx(other[name], rel=1e-6)


def test_a_warm_up_of_all_epochs_is_refused():
    asked = {"mode": "search", "dataset": "ptb", "rules": "warm_up", "epochs": 5}
    with pytest.raises(UserError, match=r"--warm_up_epochs=5 leaves none of --epochs=5"):
        configure(asked | {"warm_up_epochs": 5})
    assert configure(asked | {"warm_up_epochs": 4}).label == "darts+warm_up"
