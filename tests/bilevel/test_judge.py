"""A judge of a search: what it says is in the records, and nothing is decided by it."""

import json
import zlib

import numpy as np
import pytest

from tests.support.registries import forget_members
from tests.support.toy_search import Events, Killed, Numbers, Toy, config, without_time
from tf_darts.bilevel.engine import SearchEngine
from tf_darts.bilevel.epoch_rules import Directions, EpochRule, Stop
from tf_darts.config import methods
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest

pytestmark = pytest.mark.usefixtures("all_eagerly")


def judge(cell):
    return {"a": float(zlib.crc32(str(cell).encode()) % 1000), "b": 1.0}


def search(path, judge=judge, events=None, **overrides):
    run = RunDirectory(path, {})
    try:
        made = config(alpha_learning_rate=0.8, **overrides)
        engine = SearchEngine(made, Toy(), Numbers(), run, [events or Events()], judge=judge)
        history = engine.search(StopRequest())
        return engine.alphas["cell"].numpy(), history
    finally:
        run.close()


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    return search(tmp_path_factory.mktemp("judged"))


def test_records_have_what_the_judge_says_and_are_the_same_otherwise(tmp_path, judged):
    alpha, history = judged
    other, plain = search(tmp_path, None)
    np.testing.assert_array_equal(alpha, other)
    genotype = Toy.genotype_class
    said = [record["table"] for record in history]
    assert said == [judge(genotype.from_dict(record["genotype"])) for record in history]
    assert without_time([{k: v for k, v in r.items() if k != "table"} for r in history]) == (
        without_time(plain)
    )


@pytest.mark.parametrize("step", [1, 6, 10, 14])
def test_a_killed_search_goes_on_with_its_judge(tmp_path, judged, step):
    with pytest.raises(Killed):
        search(tmp_path, events=Events(kill_at=step))
    alpha, history = search(tmp_path)
    np.testing.assert_array_equal(alpha, judged[0])
    assert without_time(history) == without_time(judged[1])
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history


def test_no_rule_is_told(tmp_path, monkeypatch):
    """A rule that would stop by the table sees no table; records on disk have it."""
    forget_members(monkeypatch)
    seen = []

    @methods.register("peeping")
    class Peeping(EpochRule):
        """Stops as soon as it knows what the judge says."""

        def directions(self, history, facts):
            seen.extend(key for record in history for key in record)
            known = any("table" in record for record in history)
            return Directions(stop=Stop(1, "it knows") if known else None)

        def measure(self, probe):
            seen.extend(key for record in probe.history for key in record)
            return {}

    _, history = search(tmp_path, rules="peeping")
    assert len(history) == 3 and all("table" in record for record in history)
    assert "genotype" in seen and "table" not in seen
