"""α's optimiser: what is clipped, and what is added afterwards."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.alpha_moves import AlphaMoves
from tf_darts.bilevel.relaxation import Relaxation, beginning
from tf_darts.config.presets import computed_settings, configure, legacy_settings
from tf_darts.errors import UserError

CIFAR10 = {"mode": "search", "dataset": "cifar10"}


def moved_by(norm, **settings):
    """α, a hypergradient of that global norm over both kinds of cell, and what Adam is given."""
    config = configure(CIFAR10 | settings)
    variables = Relaxation().variables(config.cells, 1.0, 0)
    moves = AlphaMoves(variables, Relaxation(), config)
    random, given = np.random.default_rng(0), []
    tables = {name: random.standard_normal(alpha.shape) for name, alpha in variables.items()}
    scale = norm / np.sqrt(sum((table**2).sum() for table in tables.values()))
    gradients = {name: tf.constant(scale * table) for name, table in tables.items()}
    moves.optimizer.update_step = lambda gradient, *_: given.append(gradient)
    moves.apply(gradients, beginning())
    return variables.values(), gradients.values(), given


@pytest.mark.parametrize(("norm", "factor"), [(8.0, 2.0 / (8.0 + 1e-6)), (1.5, 1.0)])
def test_the_hypergradient_is_clipped_and_the_terms_are_not(float64, eagerly, norm, factor):
    alphas, gradients, given = moved_by(norm, alpha_clip_norm=2.0, alpha_weight_decay=0.5)
    assert len(given) == 2
    for alpha, gradient, move in zip(alphas, gradients, given, strict=True):
        np.testing.assert_allclose(move, factor * gradient + 0.5 * alpha.numpy(), rtol=1e-9)


def test_by_default_nothing_is_clipped_and_runs_record_what_they_did(float64, eagerly):
    _, gradients, given = moved_by(1e9, alpha_weight_decay=0.0)
    for gradient, move in zip(gradients, given, strict=True):
        np.testing.assert_array_equal(move, gradient)
    assert "alpha_clip_norm" not in computed_settings(configure(CIFAR10))
    recorded = computed_settings(configure(CIFAR10 | {"method": "p_darts"}))
    assert recorded["alpha_clip_norm"] == 5.0 and legacy_settings()["alpha_clip_norm"] == 0.0


def test_where_alpha_has_no_optimiser_of_its_own_it_means_nothing():
    with pytest.raises(UserError, match="--alpha_clip_norm has no meaning for --method=joint"):
        configure(CIFAR10 | {"method": "joint_simultaneous", "alpha_clip_norm": 1.0})
