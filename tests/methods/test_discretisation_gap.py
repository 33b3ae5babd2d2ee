"""The gap between a mixture and its discrete cell."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import Numbers, Toy, search
from tf_darts.bilevel.epoch_rules import SearchProbe
from tf_darts.bilevel.strongest_edges import derive, one_hot
from tf_darts.cells.topology import CellTopology
from tf_darts.methods.discretisation_gap import DiscretisationGap
from tf_darts.runtime.seeds import step_seed
from tf_darts.testing.method import toy_config

CELLS = {"cell": CellTopology(2, 1, 1, ("a", "b"))}
MIXING = {"cell": np.array([[0.25, 0.75], [0.6, 0.4]])}


def measured(rule, epoch, worth=lambda tables, batches: 0.0, mixing=MIXING):
    probe = SearchProbe(
        CELLS, epoch, 5, mixing, derive(mixing, CELLS), None, None, 0, mixing, worth
    )
    return rule.measure(probe)


def test_it_is_the_mixture_s_worth_minus_the_derived_cell_s():
    asked = []

    def worth(tables, batches):
        asked.append((tables["cell"].tolist(), batches))
        return float((tables["cell"] * [[1.0, 2.0], [4.0, 8.0]]).sum())

    gap = measured(DiscretisationGap(gap_batches=3), 1, worth)
    assert gap == {"discretisation/gap": pytest.approx(0.25 + 1.5 + 2.4 + 3.2 - 2.0)}
    assert asked == [(MIXING["cell"].tolist(), 3), ([[0, 1], [0, 0]], 3)]


def test_a_discrete_mixture_has_none():
    one_hot = {"cell": np.array([[0.0, 1.0], [0.0, 0.0]])}
    gap = measured(DiscretisationGap(), 1, lambda t, _: float(t["cell"].std()), one_hot)
    assert gap == {"discretisation/gap": 0.0}


def test_it_is_measured_every_so_many_epochs_and_at_the_last():
    taken = [e for e in range(1, 6) if measured(DiscretisationGap(gap_epochs=3), e)]
    assert taken == [1, 4, 5]


def test_a_search_has_it_where_it_is_asked_for(tmp_path, eagerly):
    """The toy's error is the mean of (batch - w₀·strength - w₁)², of which less is better."""
    made = toy_config("darts_first", rules="discretisation_gap", gap_epochs=1, epochs=2)
    _, (slope, bias), history = search(tmp_path, made=made)
    cells = Toy().cells
    mixing = {"cell": np.array(history[-1]["mixing"]["cell"])}
    worths = []
    for table in (mixing["cell"], one_hot(derive(mixing, cells), cells)["cell"]):
        prediction = slope * (table * np.arange(5.0)).sum() + bias
        errors = []
        for number, batch in enumerate(Numbers().sample()):
            # In training mode, whose noise depends on the batch's number alone.
            seed = step_seed(0, tf.constant(number), tf.constant(-2))
            noise = 0.1 * float(tf.random.stateless_normal([], seed))
            errors.append(np.mean((batch + noise - prediction) ** 2))
        worths.append(-np.mean(errors))
    gap = history[-1]["monitors"]["discretisation/gap"]
    assert gap == pytest.approx(worths[0] - worths[1], rel=1e-3) and abs(gap) > 0.01
