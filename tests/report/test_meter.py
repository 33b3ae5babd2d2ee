"""Speed and memory of a run, as TensorBoard shows them."""

import pytest

from tf_darts.report import meter as module
from tf_darts.report.meter import Meter


@pytest.fixture
def clock(monkeypatch):
    """Sets the time, in seconds."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def told(meter, clock, *steps):
    for step, seconds in steps:
        clock(seconds)
        meter.step(step)
    found = meter.read()
    assert 0.01 < found.pop("peak_gigabytes") < 100.0
    return found


def test_a_speed_is_that_of_the_steps_after_the_first(clock):
    meter = Meter({"batch_size": 8})
    assert told(meter, clock, (1, 60.0), (2, 60.5), (3, 61.0)) == {
        "steps_per_second": 2.0,
        "examples_per_second": 16.0,
    }
    # The evaluation between the two readings is no step.
    assert told(meter, clock, (4, 100.0), (5, 101.0))["steps_per_second"] == 1.0


def test_texts_are_counted_in_words(clock):
    meter = Meter({"batch_size": 8, "bptt": 5})
    assert told(meter, clock, (1, 0.0), (2, 2.0)) == {
        "steps_per_second": 0.5,
        "words_per_second": 20.0,
    }


def test_one_step_and_none_have_no_speed(clock):
    meter = Meter({"batch_size": 8})
    assert told(meter, clock) == {} == told(meter, clock, (1, 0.0))


def test_after_a_rollback_counting_begins_anew(clock):
    meter = Meter({"batch_size": 1})
    steps = ((5, 0.0), (6, 1.0), (3, 10.0), (4, 14.0))
    assert told(meter, clock, *steps)["steps_per_second"] == pytest.approx(0.25)
