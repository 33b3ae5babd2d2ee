import pytest

from tf_darts.errors import UserError
from tf_darts.report.entries import SUPERNET, TRAINED
from tf_darts.report.read_runs import read_entries
from tf_darts.runtime.run_directory import RunDirectory


def test_a_search(runs):
    path = runs.search("search_a", seed=3, hypergradient="first_order")
    (entry,) = read_entries([str(path)])
    assert (entry.name, entry.scored_by, entry.method, entry.seed) == (
        "search_a",
        SUPERNET,
        "first_order",
        3,
    )
    assert (entry.dataset, entry.score, entry.score_mode) == ("ptb", "perplexity", "min")
    assert (entry.value, entry.search_seconds, entry.training_seconds) == (200.0, 7200.0, None)
    assert entry.settings == {"epochs": 2, "units": 8, "distribution": "one_device"}
    assert entry.animation == path / "plots" / "cell.gif"


def test_a_joint_search_is_its_own_source(runs):
    path = runs.search("joint", hypergradient="first_order", optimization="joint_alternating")
    assert read_entries([str(path)])[0].method == "joint_alternating"


def test_a_training_knows_the_search_that_found_its_cell(runs):
    search = runs.search("search_a", hypergradient="exact", units=16)
    path = runs.train("train_a", given=search / "genotype.json", seed=1, test=138.0)
    (entry,) = read_entries([str(path)])
    assert (entry.scored_by, entry.method, entry.value, entry.test) == (
        TRAINED,
        "exact",
        140.0,
        138.0,
    )
    assert (entry.search_seconds, entry.training_seconds) == (7200.0, 3600.0)
    assert entry.counts["weights"] == 4_810_000
    assert (entry.settings["units"], entry.settings["search.units"]) == (8, 16)
    assert "search.units" not in entry.training_settings
    assert entry.animation == search / "plots" / "cell.gif"


def test_a_training_of_another_cell(runs, tmp_path):
    published, gone = runs.train("a"), runs.train("b", given=tmp_path / "gone" / "genotype.json")
    ours, theirs = read_entries([str(published), str(gone)])
    assert (ours.method, theirs.method) == ("darts_v2", "given")
    assert ours.search_seconds is theirs.search_seconds is None


def test_a_training_without_validation(runs, rewrite):
    path = runs.train("final")
    rewrite(path / "result.json", lambda result: result.pop("validation_perplexity"))
    (entry,) = read_entries([str(path)])
    assert entry.value is None and not entry.reason


def test_a_study(runs):
    path = runs.study("study", {"exact": [130.0], "random": [140.0]}, failed=["first_order"])
    found, random, failed = read_entries([str(path)])
    assert [e.name for e in (found, random, failed)] == [
        "study/exact_seed0",
        "study/random_seed0",
        "study/first_order_seed99",
    ]
    assert (found.method, found.value, found.search_seconds) == ("exact", 130.0, 7200.0)
    assert found.settings["search.units"] == 8 and len(found.snapshots) == 3
    assert (
        found.training_settings
        == random.settings
        == {
            "epochs": 2,
            "units": 8,
            "distribution": "one_device",
        }
    )
    assert (failed.value, failed.cell) == (None, None)
    assert failed.reason == "It diverged | at step 3."


def test_runs_of_one_name_are_told_apart(runs, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    paths = [runs.search("x/run"), runs.search("y/run")]
    names = [entry.name for entry in read_entries(map(str, paths))]
    assert names[0].endswith("_x_run") and names[1].endswith("_y_run")


def broken(runs, rewrite):
    path = runs.train("broken")
    (path / "history.jsonl").write_text("{")
    return path


def headless(runs, rewrite):
    path = runs.study("headless", {"random": [1.0]})
    rewrite(path / "ranking.json", lambda ranking: ranking.pop("dataset"))
    return path


def unranked(runs, rewrite):
    path = runs.study("unranked", {"random": [1.0]})
    (path / "ranking.json").unlink()
    return path


def empty(runs, rewrite):
    settings = {"mode": "search", "epochs": 50, "dataset": "ptb"}
    RunDirectory(runs.directory / "empty", settings).close()
    return runs.directory / "empty"


def other(runs, rewrite):
    RunDirectory(runs.directory / "other", {"mode": "report"}).close()
    return runs.directory / "other"


def unfinished(runs, rewrite):
    return runs.train("unfinished", finished=False)


def nothing(runs, rewrite):
    return runs.directory / "nothing"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (nothing, "nothing: has no run in it"),
        (empty, "this search run has finished 0 of 50 epochs; go on with"),
        (unfinished, "this train run has finished 2 of 2 epochs; go on with"),
        (other, "holds a report; a report takes the runs of --mode=search, --mode=train"),
        (broken, "history.jsonl: cannot be read .line 1 is cut off.; restore it from a copy, or"),
        (headless, "ranking.json: .* .it has no 'dataset'.; repeat the study's command"),
        (unranked, "has no ranking yet; go on with the same --mode=select"),
    ],
)
def test_what_cannot_be_reported_is_one_sentence(runs, rewrite, make, sentence):
    path = make(runs, rewrite)
    with pytest.raises(UserError, match=sentence) as caught:
        read_entries([str(path)])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    # Nothing is left locked, and nothing was made.
    assert path.exists() == (make is not nothing)
    if path.exists():
        RunDirectory.open(path)[0].close()


def test_twice_the_same(runs):
    path = str(runs.search("a"))
    with pytest.raises(UserError, match="is given twice"):
        read_entries([path, f"{path}/"])
