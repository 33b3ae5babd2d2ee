"""A search in a space of its own, tiny and quadratic: `bilevel/` knows no space."""

import signal

import pytest

from tf_darts.bilevel.engine import SearchEngine
from tf_darts.cells import genotype
from tf_darts.config.search import SearchConfig
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.testing.toy_search import ToyNumbers, ToySupernet

OPERATIONS = genotype.RECURRENT_PRIMITIVES
Toy, Numbers = ToySupernet, ToyNumbers


class Killed(BaseException):
    """Stands for kill -9: nobody catches it, nothing is saved."""


class Events(Callback):
    def __init__(self, kill_at=None, stop_at=None, stop=None):
        self.seen, self.kill_at, self.stop_at, self.stop = [], kill_at, stop_at, stop

    def on_step(self, step, metrics):
        self.seen.append(("step", step))
        self.metrics = metrics
        if step == self.kill_at:
            raise Killed
        if step == self.stop_at:
            self.stop.receive(signal.SIGTERM, None)

    def on_rollback(self, step, reason):
        self.seen.append(("rollback", step, reason))

    def on_epoch(self, record, history):
        self.seen.append(("epoch", record["epoch"]))

    def on_end(self):
        self.seen.append(("end",))


def config(**overrides):
    settings = dict(
        dataset="ptb",
        epochs=3,
        batch_size=4,
        weight_learning_rate=0.01,
        final_weight_learning_rate=0.001,
        momentum=0.9,
        alpha_learning_rate=0.1,
        checkpoint_steps=2,
    )
    return SearchConfig(**(settings | overrides))


def search(path, events=None, data=None, stop=None, made=None, **overrides):
    run = RunDirectory(path, {})
    try:
        engine = SearchEngine(
            made or config(**overrides), Toy(), data or Numbers(), run, [events or Events()]
        )
        history = engine.search(StopRequest() if stop is None else stop)
        alpha = engine._step.alphas["cell"].numpy()
        weights = engine._step.supernet.weights[0].numpy()
        return alpha, weights, history
    finally:
        run.close()


def check_killed(path, made, steps=3):
    """A search that is killed after any step and goes on ends with the same bits; its history."""

    def searched(name, events=None):
        return search(path / name, events, data=Numbers(steps=steps), made=made)

    alpha, weights, history = searched("whole")
    for step in range(1, steps * len(history)):
        try:
            searched(str(step), Events(kill_at=step))
        except Killed:
            pass
        else:
            raise AssertionError(f"there was no step {step}")
        resumed = searched(str(step))
        assert (resumed[0] == alpha).all() and (resumed[1] == weights).all(), step
        assert without_time(resumed[2]) == without_time(history), step
    return history


def killed_before_every_step(monkeypatch, run, steps):
    """What a run gives that is killed before each of its steps, and goes on after each."""
    taken, kill_at, take = [0], [0], SearchEngine._take_step

    def counted(self, epoch, batch):
        if taken[0] == kill_at[0]:
            raise Killed
        taken[0] += 1
        return take(self, epoch, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SearchEngine, "_take_step", counted)
        for kill_at[0] in range(1, steps):
            with pytest.raises(Killed):
                run()
        kill_at[0] = -1
        result = run()
    assert taken[0] == steps, "no step was taken twice"
    return result


def without_time(history):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history]
