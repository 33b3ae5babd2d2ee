"""Studies that go on with more trials, seeds and sources."""

import json

import pytest

from tests.support.toy_study import BLACK_BOX, SELECTION
from tf_darts.cells import genotype_files
from tf_darts.cells.published import PUBLISHED
from tf_darts.errors import StateError, UserError
from tf_darts.study import run_study

LONGER = 6  # trials of a study that began with 4


def by_cell(ranking):
    """What was found, without the trials' numbers, whose width follows from how many there are."""
    return [(row["cell"], row["score"], row["settings"]) for row in ranking["candidates"]]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of few points
@pytest.mark.parametrize(
    "study",
    [
        BLACK_BOX,
        BLACK_BOX | {"tuner": "bayesian"},
        {
            "mode": "tune",
            "dataset": "pydoc",
            "genotype": "darts_v2",
            "tune": "learning_rate=1:40:log",
            "trials": 4,
            # Beyond the random points of its start, three for a quantity.
            "tuner": "bayesian",
        },
    ],
    ids=["random", "bayesian cells", "bayesian settings"],
)
def test_more_trials_are_those_of_a_longer_study(toy, tmp_path, study):
    whole = toy.run(tmp_path / "whole", **study | {"trials": LONGER})
    toy.run(tmp_path / "extended", **study)
    extended = toy.run(tmp_path / "extended", **study | {"trials": LONGER})
    assert len(toy.evaluated) == LONGER - 4, "what is done is not done again"
    assert by_cell(extended) == by_cell(whole) and len(by_cell(whole)) == LONGER
    config = json.loads((tmp_path / "extended" / "config.json").read_text())
    assert config["settings"]["trials"] == LONGER and "tf_darts" in config
    best = genotype_files.load(tmp_path / "extended" / "genotype.json")
    assert str(best) == extended["candidates"][0]["cell"]


def test_fewer_trials_are_refused_and_the_advice_works(toy, tmp_path):
    toy.run(tmp_path, **BLACK_BOX)
    with pytest.raises(StateError, match="trials was 4 and is now 3, but a run can only") as told:
        toy.run(tmp_path, **BLACK_BOX | {"trials": 3})
    assert "give another directory, or the same settings as before" in str(told.value)
    assert len(toy.run(tmp_path / "another", **BLACK_BOX | {"trials": 3})["candidates"]) == 3
    assert len(toy.run(tmp_path, **BLACK_BOX)["candidates"]) == 4
    assert toy.evaluated == []


def test_with_other_data_it_stays_as_it_is(toy, tmp_path, monkeypatch):
    toy.run(tmp_path, **BLACK_BOX)
    before = (tmp_path / "config.json").read_text()

    def refused(*arguments):
        raise StateError("other data")

    with monkeypatch.context() as patch:
        patch.setattr(run_study, "check_data", refused)
        with pytest.raises(StateError, match="other data"):
            toy.run(tmp_path, **BLACK_BOX | {"trials": LONGER})
    assert (tmp_path / "config.json").read_text() == before
    assert len(toy.run(tmp_path, **BLACK_BOX)["candidates"]) == 4


def test_a_directory_of_something_else_is_refused_before_there_is_work(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(run_study, "_check", None)  # which makes the networks
    (tmp_path / "letter.txt").touch()
    with pytest.raises(StateError, match="holds files but no run"):
        toy.run(tmp_path, **BLACK_BOX)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_more_seeds_and_sources_join_those_that_are_done(toy, tmp_path):
    file = tmp_path / "mine" / "genotype.json"
    file.parent.mkdir()
    genotype_files.save(file, PUBLISHED["recurrent"]["enas"])
    first = toy.run(tmp_path / "study", **SELECTION)
    seeds = toy.run(tmp_path / "study", **SELECTION | {"count": 3})
    assert toy.evaluated == ["first_order_seed2", "random_seed2"]
    longer = {"candidates": f"random,exact,first_order,darts_v1,{file}", "count": 3}
    sources = toy.run(tmp_path / "study", **SELECTION | longer)
    new = ["exact_seed0", "exact_seed1", "exact_seed2", "darts_v1", "mine_genotype"]
    assert toy.evaluated == new
    for before, after in ((first, seeds), (seeds, sources)):
        rows = {row["name"]: row for row in after["candidates"]}
        assert all(rows[row["name"]] == row for row in before["candidates"])
    assert sources == toy.run(tmp_path / "whole", **SELECTION | longer)
    settings = json.loads((tmp_path / "study" / "config.json").read_text())["settings"]
    assert settings["exact.hypergradient"] == "exact" and len(settings["cells"]) == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"count": 1}, "candidates was"),
        ({"candidates": "random"}, "candidates was"),
        ({"candidates": "random,exact"}, "candidates was"),
        ({"seed": 1}, "candidates was"),
        ({"count": 3, "search_settings": "units=8"}, "first_order.units was .* and is now 8"),
        ({"count": 3, "train_settings": "epochs=3"}, "train.epochs was 8000 and is now 3"),
        ({"count": 3, "snapshots": 2}, "snapshots was 0 and is now 2"),
    ],
)
def test_what_would_change_what_is_done_is_refused(toy, tmp_path, changed, words):
    before = toy.run(tmp_path, **SELECTION)
    config = (tmp_path / "config.json").read_bytes()
    with pytest.raises(StateError, match=words) as told:
        toy.run(tmp_path, **SELECTION | changed)
    assert "\n" not in str(told.value)
    assert (tmp_path / "config.json").read_bytes() == config
    assert toy.run(tmp_path, **SELECTION) == before and toy.evaluated == []


def test_a_file_with_another_cell_is_another_candidate(toy, tmp_path):
    file = tmp_path / "mine" / "genotype.json"
    file.parent.mkdir()
    study = {"mode": "select", "dataset": "pydoc", "candidates": f"{file}"}
    genotype_files.save(file, PUBLISHED["recurrent"]["enas"])
    toy.run(tmp_path / "study", **study)
    genotype_files.save(file, PUBLISHED["recurrent"]["darts_v1"])
    with pytest.raises(StateError, match=r"cells was .* and is now"):
        toy.run(tmp_path / "study", **study)


def test_hyperband_follows_its_epochs(toy, tmp_path):
    study = {"mode": "black_box", "dataset": "pydoc", "tuner": "hyperband"}
    toy.run(tmp_path, **study, train_settings="epochs=3")
    with pytest.raises(StateError, match=r"train\.epochs was 3 and is now 9"):
        toy.run(tmp_path, **study, train_settings="epochs=9")
    with pytest.raises(UserError, match="--trials has no meaning"):
        toy.run(tmp_path, **study, trials=9)


def test_an_extension_that_was_stopped_goes_on(toy, tmp_path):
    whole = toy.run(tmp_path / "whole", **SELECTION | {"count": 4})
    toy.run(tmp_path / "study", **SELECTION)
    toy.answers["random_seed2"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        toy.run(tmp_path / "study", **SELECTION | {"count": 4})
    toy.answers.clear()
    with pytest.raises(StateError, match="candidates was"):
        toy.run(tmp_path / "study", **SELECTION)
    assert toy.run(tmp_path / "study", **SELECTION | {"count": 4}) == whole
    assert toy.evaluated == ["random_seed2", "random_seed3"]
