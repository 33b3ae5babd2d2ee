"""Cells as hyperparameters."""

import collections

import keras_tuner
import pytest
from scipy import stats

from tf_darts.cells.genotype import SPACES
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.study.cell_choices import chosen_cells
from tf_darts.study.oracles import black_box_oracle


def oracle(space, tmp_path, trials):
    hyperparameters = keras_tuner.HyperParameters()
    chosen_cells(hyperparameters, TOPOLOGIES[space])
    made = black_box_oracle(
        "random", hyperparameters, score_mode="min", trials=trials, epochs=3, seed=0
    )
    made.verbose = 0
    made._set_project_dir(str(tmp_path), "tuner")
    return made


@pytest.mark.parametrize("space", TOPOLOGIES)
def test_every_trial_is_a_cell(space, tmp_path):
    proposing, cells = oracle(space, tmp_path, 6), []
    for i in range(6):
        trial = proposing.create_trial(f"worker{i}")
        chosen = chosen_cells(trial.hyperparameters, TOPOLOGIES[space])
        cells.append(SPACES[space].from_cells(chosen))
    assert len(set(cells)) == 6
    assert proposing.create_trial("late").status == "STOPPED"


def test_random_trials_are_uniform():
    """As keras-tuner draws them: two predecessors of the last node, its operations."""
    hyperparameters = keras_tuner.HyperParameters()
    topologies = TOPOLOGIES["convolutional"]
    chosen_cells(hyperparameters, topologies)
    sources, operations = collections.Counter(), collections.Counter()
    for seed in range(3000):
        trial = hyperparameters.copy()
        for i, hp in enumerate(hyperparameters.space):
            trial.values[hp.name] = hp.random_sample(100 * seed + i)
        node = chosen_cells(trial, topologies)["normal"][3]
        sources[tuple(source for _, source in node)] += 1
        operations.update(name for name, _ in node)
    assert len(sources) == 10 and len(operations) == 7
    assert stats.chisquare(list(sources.values())).pvalue > 1e-3
    assert stats.chisquare(list(operations.values())).pvalue > 1e-3
