"""The control without α's steps."""

import numpy as np
import pytest

from tests.support.toy_search import config, search
from tf_darts.config.presets import configure
from tf_darts.errors import UserError


def test_alpha_stays_and_w_moves(tmp_path, eagerly):
    alpha, weights, history = search(tmp_path, made=config(rules="frozen_alphas", epochs=2))
    again, _, _ = search(tmp_path / "b", made=config(rules="frozen_alphas", epochs=1))
    np.testing.assert_array_equal(alpha, again)
    assert not np.array_equal(weights, [0.5, -0.5])
    assert np.abs(alpha).max() < 0.01  # as it began: nearly equal
    assert not any("validation_batch_loss" in record for record in history)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"method": "rsps", "hypergradient": "exact"},
            "--hypergradient has no meaning for --rules",
        ),
        *(
            ({"method": "rsps", name: 0.1}, f"--{name} has no meaning for --rules=frozen_alphas")
            for name in ("alpha_learning_rate", "alpha_weight_decay", "alpha_clip_norm")
        ),
        (
            {"rules": "frozen_alphas", "finite_difference_radius": 0.1},
            "--finite_difference_radius has no meaning for --rules=frozen_alphas",
        ),
        (
            {"rules": "frozen_alphas", "method": "beta_darts"},
            r"alpha never moves, so no term pulls on it; give --alpha_terms= \(none\)",
        ),
        (
            {"rules": "frozen_alphas,skip_stop"},
            "alpha never moves, and a random cell would stop the search",
        ),
        ({"rules": "frozen_alphas,ranking_stop"}, "a random cell would stop"),
        ({"rules": "frozen_alphas,greedy_decisions"}, "what is decided by it is random"),
        (
            {"rules": "frozen_alphas,progressive_shrinking"},
            "the search would leave out operations for a random cell",
        ),
        ({"rules": "frozen_alphas,eigenvalue_adaptation"}, "would go back for a random cell"),
    ],
)
def test_what_needs_alphas_that_move_is_refused(settings, words):
    asked = {"mode": "search", "dataset": "cifar10", "epochs": 50}
    with pytest.raises(UserError, match=words):
        configure(asked | settings)


def test_with_what_the_sentence_says_it_is_taken():
    asked = {"mode": "search", "dataset": "cifar10", "rules": "frozen_alphas"}
    made = configure(asked | {"method": "beta_darts", "alpha_terms": ""})
    assert made.alpha_terms == "" and made.hypergradient == "first_order"
