"""RobustDARTS' adaptive weight decay: where it goes back to, and that kills change nothing."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.toy_search import (
    Events,
    Killed,
    Numbers,
    config,
    killed_before_every_step,
    search,
    without_time,
)
from tf_darts.bilevel import curvature as curvature_module
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.step import BilevelStep
from tf_darts.config.presets import configure
from tf_darts.errors import StateError, UserError
from tf_darts.methods.eigenvalue import EigenvalueAdaptation
from tf_darts.runtime.run_state import RunState
from tf_darts.testing import check_rule
from tf_darts.testing.method import toy_config
from tf_darts.testing.toy_search import ToySupernet

FACTS = SearchFacts({}, 50, weight_decay=3e-4)
STEPS = 2


def records(values):
    """An eigenvalue at every second epoch."""
    return [
        {"monitors": {"eigenvalue/largest": values[e // 2]} if e % 2 == 0 else {}}
        for e in range(2 * len(values) - 1)
    ]


def test_it_goes_back_to_where_the_stop_would_take_the_cell(shared):
    trace = json.loads((shared / "golden" / "derivations.json").read_text())["early_stop"]["traces"]
    (first, *_) = [t for t in trace if t["stops_at"] == 22]
    history = records(first["values"][:12])
    rule = EigenvalueAdaptation()
    said = rule.directions(history, FACTS)
    assert said.back.epoch - 1 == first["returns_epoch"] == 10 and said.stop is None
    assert said.weight_decay == 3e-4
    assert said.back.measured == {"weight_decay/raised": 3e-3}
    assert "so the weight decay of w is now 0.003" in said.back.reason
    assert said.back.epoch in rule.kept(11) and said.back.epoch in rule.kept(23)
    assert rule.directions(history[:-1], FACTS).back is None


def test_it_raises_up_to_its_most_and_not_above():
    growing = records([2.0**n for n in range(12)])
    growing[10]["monitors"] |= {"weight_decay/raised": 3e-3}
    said = EigenvalueAdaptation().directions(growing, FACTS)
    assert said.weight_decay == 3e-3
    assert said.back.measured == {"weight_decay/raised": 0.03}, "no more than the most"
    growing[10]["monitors"] |= {"weight_decay/raised": 0.03}
    said = EigenvalueAdaptation().directions(growing, FACTS)
    assert (said.weight_decay, said.back) == (0.03, None)
    flat = EigenvalueAdaptation().directions(records([1.0] * 20), FACTS)
    assert (flat.weight_decay, flat.back) == (3e-4, None)


def test_the_unrolled_step_has_the_new_weight_decay_too(float64):
    steps = [BilevelStep(ToySupernet(), config(weight_decay=decay)) for decay in (0.1, 0.5)]
    steps[0](*[np.ones(4)] * 2, 0.01)  # compiled with the old one
    steps[1](*[np.ones(4)] * 2, 0.01)
    for ours, theirs in zip(*(s.variables["weights"] for s in steps), strict=True):
        ours.assign(theirs)
    for ours, theirs in zip(*(s._weight_moves.velocities for s in steps), strict=True):
        ours.assign(theirs)
    steps[0].set_weight_decay(0.5)
    gradients, rate = [tf.constant([1.0, 2.0], tf.float64)], tf.constant(0.1, tf.float64)
    moves = [step._weight_moves for step in steps]
    unrolled = [m.unroll(m.read(), gradients, rate)[0][0].numpy() for m in moves]
    assert (unrolled[0] == unrolled[1]).all()
    for m in moves:
        m.advance(m.read(), gradients, rate, tf.zeros([1], tf.float64))
    moved = [step.variables["weights"][0].numpy() for step in steps]
    assert (moved[0] == moved[1]).all() and (moved[0] == unrolled[0]).all()


SHORT = {
    "eigenvalue_epochs": 1,
    "eigenvalue_batches": 1,
    "eigenvalue_window": 2,
    "eigenvalue_delta": 1,
    "eigenvalue_start": 0,
    "eigenvalue_ratio": 1e-6,
    "weight_decay": 3e-4,
    "epochs": 6,
}


@pytest.fixture
def curvature(monkeypatch, eagerly):
    """Any value that is above 0 has grown, by the ratio above."""
    monkeypatch.setattr(curvature_module, "largest_eigenvalue", lambda *_: 1.0)


def searched(path, events=None):
    made = dataclasses.replace(toy_config("robust_darts_ada", **SHORT), checkpoint_steps=1)
    return search(path, events, data=Numbers(steps=STEPS), made=made)


def test_killed_before_every_step_it_goes_back_all_the_same(tmp_path, curvature, monkeypatch):
    events = Events()
    alpha, weights, history = searched(tmp_path / "whole", events)
    raised = [r["monitors"].get("weight_decay/raised") for r in history]
    assert raised == [None, 0.03, None, None, None, None]
    returns = [event for event in events.seen if event[0] == "rollback"]
    steps = sum(event[0] == "step" for event in events.seen)
    assert [step for _, step, _ in returns] == [2 * STEPS] * 2 and steps == STEPS * (4 + 2 + 4)
    assert [r["epoch"] for r in history] == [1, 2, 3, 4, 5, 6]
    kept = {path.name for path in (tmp_path / "whole" / "checkpoints" / "kept").iterdir()}
    assert kept == {"1", "2", "3", "4", "5", "6"}

    again = killed_before_every_step(monkeypatch, lambda: searched(tmp_path / "run"), steps)
    assert (again[0] == alpha).all() and (again[1] == weights).all()
    assert without_time(again[2]) == without_time(history)


@pytest.mark.parametrize("after", ["restored", "saved"])
def test_killed_while_it_goes_back(tmp_path, curvature, monkeypatch, after):
    alpha, _, history = searched(tmp_path / "whole")
    restore = RunState.restore_kept

    def killed(self, epoch):
        restore(self, epoch)
        raise Killed

    class KilledThen(Events):
        def on_rollback(self, step, reason):
            raise Killed

    with monkeypatch.context() as patch:
        if after == "restored":
            patch.setattr(RunState, "restore_kept", killed)
        with pytest.raises(Killed):
            searched(tmp_path / "run", KilledThen())
    again = searched(tmp_path / "run")
    assert (again[0] == alpha).all()
    assert without_time(again[2]) == without_time(history)


def test_rollbacks_of_before_are_counted_on(tmp_path, curvature):
    """Else a search that goes back again and again might diverge as often."""
    made = dataclasses.replace(
        toy_config("robust_darts_ada", **SHORT), checkpoint_steps=1, max_rollbacks=1
    )
    _, _, history = search(tmp_path, data=Numbers([(1, 1)], steps=STEPS), made=made)
    assert [record["rollbacks"] for record in history] == [0, 1, 1, 1, 1, 1]


def test_a_state_that_is_gone_is_a_sentence(tmp_path, curvature, monkeypatch):
    monkeypatch.setattr(RunState, "keep", lambda *_: None)
    with pytest.raises(StateError, match="the checkpoint to go back to is gone"):
        searched(tmp_path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weight_decay": 0.01}, "10 times --weight_decay=0.01 is above --adaptation_most"),
        ({"weight_decay": 0.0}, "10 times --weight_decay=0 is nothing"),
        ({"epochs": 20}, "--rules=eigenvalue_adaptation looks from epoch 23 on, and --epochs=20"),
        ({"relaxation": "dirichlet"}, "have no second derivative"),
        (
            {"rules": "eigenvalue_stop,eigenvalue_adaptation"},
            "stops the search where eigenvalue_adaptation would go back",
        ),
    ],
)
def test_wrong_input_is_a_sentence(settings, words):
    asked = {"mode": "search", "dataset": "cifar10", "method": "robust_darts_ada"}
    assert configure(asked).label == "robust_darts_ada"
    with pytest.raises(UserError, match=words):
        configure(asked | settings)


def test_it_is_a_rule():
    check_rule(EigenvalueAdaptation(eigenvalue_batches=1, eigenvalue_epochs=1))
