"""RobustDARTS' eigenvalue and early stop (METHODS.md 1)."""

import json

import numpy as np
import pytest
from scipy.sparse.linalg import ArpackNoConvergence

from tf_darts.bilevel import curvature
from tf_darts.bilevel.curvature import largest_eigenvalue
from tf_darts.bilevel.epoch_rules import SearchFacts, SearchProbe
from tf_darts.bilevel.step import BilevelStep
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.methods.eigenvalue import Eigenvalue, EigenvalueStop
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.spaces.recurrent.settings import RecurrentSearchConfig
from tf_darts.testing import check_rule, float64
from tf_darts.testing.method import check_method


@pytest.mark.parametrize("size", [2, 15, 21, 224])
def test_the_largest_algebraic_one_is_found(size):
    """Where the largest modulus is negative, power iteration would find that."""
    random = np.random.default_rng(size)
    vectors, _ = np.linalg.qr(random.standard_normal((size, size)))
    values = np.linspace(-0.5, 0.42, size)
    matrix = vectors @ np.diag(values) @ vectors.T
    calls = []
    found = largest_eigenvalue(lambda v: (calls.append(1), matrix @ v)[1], size, 1e-9)
    assert found == pytest.approx(0.42, rel=1e-6)
    assert len(calls) <= max(size, 20) * 12


def test_by_products_of_a_supernet_it_is_that_of_the_whole_matrix():
    """Lanczos as a search asks for it, in a small recurrent space: 6 edges of 5 operations."""
    with float64():
        made = RecurrentSearchConfig(batch_size=4).composed({"method": "darts_first"})
        supernet = RecurrentSupernet(RelaxedLanguageModel(words=12, units=6, nodes=3))
        step = BilevelStep(supernet, made)
        random = np.random.default_rng(0)
        step.alphas["cell"].assign(random.standard_normal((6, 5)))
        words = random.integers(12, size=(2, 4, 4), dtype=np.int32)  # inputs and targets
        product = step.hessian_product(tuple(words), 0)
        matrix = np.array([product(row) for row in np.eye(30)])
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-9 * np.abs(matrix).max())
        values = np.linalg.eigvalsh(matrix)
        assert values[0] < 0 < values[-1]
        assert largest_eigenvalue(product, 30) == pytest.approx(values[-1], rel=1e-5)


@pytest.mark.parametrize("size", [2, 30])
def test_where_nothing_is_left_to_choose_it_is_0(size):
    """As after SGAS's last decision: a Hessian of zeros, of which Lanczos has no start."""
    assert largest_eigenvalue(np.zeros_like, size) == 0.0


@pytest.mark.parametrize("size", [2, 30])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_finite_is_a_sentence(size, number):
    with pytest.raises(UserError, match=r"not finite.*lower learning rate, in another --run_dir"):
        largest_eigenvalue(lambda v: np.full_like(v, number), size)


def test_arpack_fails_with_a_sentence(monkeypatch):
    def fails(*_, **__):
        raise curvature.ArpackError(-8)

    monkeypatch.setattr(curvature, "eigsh", fails)
    with pytest.raises(UserError, match=r"did not converge.*ARPACK error -8"):
        largest_eigenvalue(lambda v: v, 30)


def test_what_does_not_converge_is_a_sentence(monkeypatch):
    def gives_up(*_, **__):
        raise ArpackNoConvergence("no convergence", np.array([]), np.array([]))

    monkeypatch.setattr(curvature, "eigsh", gives_up)
    with pytest.raises(UserError, match=r"did not converge.*--precision=float64"):
        largest_eigenvalue(lambda v: v, 30)


def traces(shared):
    return json.loads((shared / "golden" / "derivations.json").read_text())["early_stop"]


def test_golden_traces(shared):
    golden = traces(shared)
    settings = golden["settings"]
    rule = EigenvalueStop(
        eigenvalue_epochs=settings["every"],
        eigenvalue_window=settings["window"],
        eigenvalue_delta=settings["delta"],
        eigenvalue_ratio=settings["ratio"],
        eigenvalue_start=settings["start_epoch"],
    )
    facts = SearchFacts({}, settings["epochs"])
    for trace in golden["traces"]:
        value_at = dict(zip(trace["epochs"], trace["values"], strict=True))
        history, stop = [], None
        for epoch in range(max(value_at) + 1):
            monitors = {"eigenvalue/largest": value_at[epoch]} if epoch in value_at else {}
            history.append({"epoch": epoch + 1, "monitors": monitors})
            stop = rule.directions(history, facts).stop
            if stop is not None:
                break
        if trace["stops_at"] is None:
            assert stop is None, trace["name"]
        else:
            assert (epoch, stop.epoch - 1) == (trace["stops_at"], trace["returns_epoch"])
            assert f"grew {trace['ratio']:.2f} times" in stop.reason


def test_it_is_measured_every_so_many_epochs_and_at_the_last(monkeypatch):
    asked = []

    def measured(epoch, epochs):
        probe = SearchProbe(
            {},
            epoch,
            epochs,
            {},
            {},
            evaluate=None,
            hessian_products=lambda batches: (
                asked.append(batches),
                [lambda v, i=i: i * v for i in range(batches)],
            )[1],
            parameters=3,
        )
        return Eigenvalue(eigenvalue_epochs=3, eigenvalue_batches=5).measure(probe)

    epochs = [epoch for epoch in range(1, 9) if measured(epoch, 8)]
    assert epochs == [1, 4, 7, 8] and asked == [5] * 4
    assert measured(1, 8) == {"eigenvalue/largest": pytest.approx(2.0)}  # of 0, 1, 2, 3, 4


def test_wrong_input_is_a_sentence():
    asked = {"mode": "search", "dataset": "ptb", "method": "robust_darts_es"}
    assert configure(asked).label == "robust_darts_es"
    with pytest.raises(UserError, match=r"looks from epoch 23 on, and --epochs=20"):
        configure(asked | {"epochs": 20})
    with pytest.raises(UserError, match="--relaxation=dirichlet have no second derivative"):
        configure({"mode": "search", "dataset": "ptb", "method": "dr_nas", "rules": "eigenvalue"})
    with pytest.raises(UserError, match=r"it is for .*--rules=eigenvalue_stop"):
        configure({"mode": "search", "dataset": "ptb", "eigenvalue_ratio": 2.0})
    for relaxation in ("temperature", "gumbel", "gumbel_hard_all"):
        for rule in ("eigenvalue_stop", "eigenvalue_adaptation"):
            with pytest.raises(UserError, match=f"--relaxation={relaxation} nears a choice with"):
                configure(asked | {"relaxation": relaxation, "rules": rule})
        only_looks = {"relaxation": relaxation, "rules": "eigenvalue"}
        assert configure(asked | only_looks).rules == "eigenvalue"
    warm = asked | {"rules": "warm_up,eigenvalue_stop", "warm_up_epochs": 12}
    with pytest.raises(UserError, match=r"a cell of then is random; give --eigenvalue_start=12"):
        configure(warm)
    assert configure(warm | {"eigenvalue_start": 12}).warm_up_epochs == 12


SHORT = {
    "eigenvalue_epochs": 1,
    "eigenvalue_batches": 2,
    "eigenvalue_window": 2,
    "eigenvalue_delta": 1,
    "eigenvalue_start": 0,
    "eigenvalue_ratio": 1e-6,
    "epochs": 5,
}


@pytest.mark.long
def test_a_search_that_is_killed_stops_all_the_same():
    check_rule(EigenvalueStop(**{k: v for k, v in SHORT.items() if k != "epochs"}))
    check_method("robust_darts_es", **SHORT)
