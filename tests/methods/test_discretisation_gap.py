"""The gap between a mixture and its discrete cell."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import Numbers, Toy, search
from tf_darts.bilevel.epoch_rules import SearchFacts, SearchProbe
from tf_darts.bilevel.strongest_edges import derive, one_hot
from tf_darts.cells.topology import CellTopology
from tf_darts.config.search import SearchConfig
from tf_darts.methods.discretisation_gap import DiscretisationGap
from tf_darts.runtime.seeds import step_seed
from tf_darts.testing.method import _search, toy_config

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


def test_what_is_no_number_is_no_gap():
    worths = iter([-8.0, -np.inf])
    assert measured(DiscretisationGap(), 1, lambda tables, batches: next(worths)) == {}


def test_it_is_measured_every_so_many_epochs_and_at_the_last():
    taken = [e for e in range(1, 6) if measured(DiscretisationGap(gap_epochs=3), e)]
    assert taken == [1, 4, 5]
    assert not [e for e in range(1, 6) if measured(DiscretisationGap(gap_epochs=0), e)]


@pytest.mark.parametrize("passes_by", [True, False])
def test_edges_stay_where_they_would_hand_something_on_without_operations(passes_by):
    cells = {"cell": CellTopology(2, 1, 1, ("none", "a", "b"))}
    mixing = {"cell": np.array([[0.4, 0.1, 0.5], [0.5, 0.3, 0.2]])}
    asked = []
    probe = SearchProbe(
        cells,
        1,
        5,
        mixing,
        derive(mixing, cells),
        None,
        None,
        0,
        mixing,
        lambda tables, _: asked.append(tables["cell"].tolist()) or 0.0,
    )
    DiscretisationGap().of(SearchFacts(cells, 5, passes_by=passes_by)).measure(probe)
    dropped = [0, 1, 0] if passes_by else [0, 0, 0]
    assert asked[1] == [[0, 0, 1], dropped]


def test_partial_channels_hand_something_on():
    config = SearchConfig(edge_options="edge_normalization")
    assert not SearchFacts.of(Toy(), config).passes_by
    made = toy_config("darts_first", edge_options="partial_channels")
    assert SearchFacts.of(Toy(), made).passes_by


def test_every_search_has_it(tmp_path, eagerly):
    """The toy's error is the mean of (batch - w₀·strength - w₁)², of which less is better."""
    made = toy_config("darts_first", gap_epochs=1, gap_batches=8, epochs=2)
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


@pytest.mark.slow
def test_a_search_on_partial_channels_has_it(tmp_path, eagerly):
    made = toy_config("darts_first", edge_options="partial_channels", gap_epochs=2, epochs=3)
    _, _, history = _search(tmp_path, made)
    gaps = [record["monitors"].get("discretisation/gap") for record in history]
    assert gaps[1] is None and np.isfinite([gaps[0], gaps[2]]).all()
