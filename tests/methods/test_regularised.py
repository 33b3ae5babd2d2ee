"""RobustDARTS with more weight decay: a method whose value is so many times the data set's."""

import pytest

from tf_darts.config.presets import configure


def searched(**asked):
    return configure({"mode": "search", "dataset": "cifar10", "method": "robust_darts_l2"} | asked)


def test_w_has_27_times_the_weight_decay_and_alpha_its_own():
    made = searched()
    assert (made.weight_decay, made.alpha_weight_decay) == (8.1e-3, 1e-3)
    assert searched(space="nasbench201").weight_decay == 0.0135
    assert searched(dataset="ptb").weight_decay == 1.35e-5
    assert searched(weight_decay=0.0243).weight_decay == 0.0243
    assert made.hypergradient == "finite_difference"  # the paper's second order


def test_a_run_of_it_keeps_its_name_and_its_value():
    """Its parts are all the paper's, and its searches are not."""
    made = searched()
    assert made.label == "robust_darts_l2" and "robust_darts_l2" in made.run_dir
    recorded = made.recorded(made._settings)
    assert recorded["method"] == "robust_darts_l2"
    again = configure({"mode": "search", **recorded})
    assert (again.weight_decay, again.label) == (8.1e-3, "robust_darts_l2")


@pytest.mark.parametrize("method", ["darts", "darts_first", "beta_darts"])
def test_no_other_search_is_called_by_it(method):
    for estimate in ("first_order", "finite_difference", "exact"):
        label = searched(method=method, hypergradient=estimate).label
        assert "robust" not in label
    assert searched(hypergradient="first_order").label == "robust_darts_l2+first_order"
