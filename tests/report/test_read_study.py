import shutil

import pytest

from tests.report.test_cell_provenance import FOUND
from tf_darts.report.entries import group
from tf_darts.report.read_runs import read_entries
from tf_darts.report.report_tables import ranking_of
from tf_darts.report.statistics import scores_by_source
from tf_darts.report.summary_report import write_report


def test_a_search_that_ended_early_in_a_study(runs, rewrite):
    path = runs.study("study", {"exact": [130.0]})
    search = path / "candidates" / "exact_seed0" / "search"
    rewrite(search / "config.json", lambda config: config["settings"].update(epochs=50))
    (search / "result.json").write_text('{"epoch": 2, "epochs": 2}')
    (entry,) = read_entries([str(path)])
    assert entry.settings["search.epochs"] == 50


def hyperband(runs, rewrite, epochs):
    """A looked-up study of hyperband, with a trial for each of these, the best one first."""
    path = runs.study("study", {"random": [130.0 - e for e in range(len(epochs))]})

    def change(ranking):
        ranking["table"] = {}
        for candidate, number in zip(ranking["candidates"], epochs, strict=True):
            candidate.update(source="hyperband", seed=None, settings={"epochs": number})

    rewrite(path / "ranking.json", change)
    for folder in (path / "candidates").iterdir():
        shutil.rmtree(folder)
    return path


def test_a_study_s_trials_of_few_epochs_do_not_count(runs, rewrite, tmp_path):
    path = hyperband(runs, rewrite, [1, 3, 9, 9])
    entries = read_entries([str(path)])
    assert [entry.short for entry in entries] == [True, True, False, False]
    (one,) = group(entries)
    assert one.values == [129.0, 130.0]
    ranking = ranking_of([one], [], entries[:2])
    assert [row["score"] for row in ranking["candidates"]] == [129.0, 130.0, 127.0, 128.0]
    assert scores_by_source(ranking["candidates"], "min") == {"hyperband": [129.0, 130.0]}
    text = write_report([str(path)], str(tmp_path / "report"), "random").read_text()
    assert "| hyperband | 2 | 129.50 ± 0.71 | 129.00 |" in text
    assert "longest of their study do not count: 2 are among all scores only." in text


def test_a_study_s_trials_are_all_there_is_where_none_was_longer(runs, rewrite):
    entries = read_entries([str(hyperband(runs, rewrite, [3, 3]))])
    assert [len(one.entries) for one in group(entries)] == [2]


def test_a_study_whose_searches_are_gone(runs, rewrite):
    path = runs.study("study", {"exact": [130.0]})
    home = path / "candidates" / "exact_seed0"
    rewrite(home / "train" / "genotype.json", lambda file: file.update(provenance=FOUND))
    shutil.rmtree(home / "search")
    (entry,) = read_entries([str(path)])
    assert entry.settings["search.units"] == 16
    assert (entry.search_seconds, entry.animation) == (2 * 7200.0, None)  # two replicas found it


def test_a_study(runs):
    path = runs.study("study", {"exact": [130.0], "random": [140.0]}, failed=["first_order"])
    found, random, failed = read_entries([str(path)])
    assert [e.name for e in (found, random, failed)] == [
        "study/exact_seed0",
        "study/random_seed0",
        "study/first_order_seed99",
    ]
    assert (found.method, found.value, found.search_seconds) == ("darts_exact", 130.0, 7200.0)
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


def test_a_study_s_data_stand_for_those_of_its_candidates(runs, tmp_path):
    """A training of the same data elsewhere is a result of the same kind."""
    path = runs.study("study", {"random": [140.0]}, failed=["first_order"])
    train = runs.train("train", text="one")
    shutil.copy(train / "data.json", path / "data.json")
    (expected,) = read_entries([str(train)])
    assert expected.data.digest
    assert [entry.data for entry in read_entries([str(path)])] == [expected.data] * 2
    other = runs.train("other", text="another")
    shutil.copy(other / "data.json", path / "candidates" / "random_seed0" / "train" / "data.json")
    (random, failed) = read_entries([str(path)])
    assert random.data == read_entries([str(other)])[0].data != failed.data == expected.data


def test_looked_up_cells_differ_by_what_their_searches_learnt_from(runs, rewrite):
    path = runs.study("study", {"exact": [130.0, 131.0], "random": [140.0]})
    rewrite(path / "ranking.json", lambda ranking: ranking.update(table={}))
    for seed, text in enumerate(("one", "another")):
        home = path / "candidates" / f"exact_seed{seed}"
        shutil.rmtree(home / "search"), shutil.rmtree(home / "train")
        runs.search(f"study/candidates/exact_seed{seed}/search", text=text)
    shutil.rmtree(path / "candidates" / "random_seed0" / "train")
    entries = read_entries([str(path)])
    assert {entry.data.digest for entry in entries} == {""}, "a table's scores compare"
    first, second, random = (entry.settings.get("search.data") for entry in entries)
    assert first and second and first != second and random is None
    assert entries[0].training_settings == entries[2].training_settings


@pytest.mark.parametrize(("searched_by", "trained_by"), [(1, 2), (2, 1)])
def test_a_study_counts_the_seconds_of_all_devices(runs, rewrite, searched_by, trained_by):
    path = runs.study("study", {"exact": [130.0]})
    (alone,) = read_entries([str(path)])
    for kind, replicas in (("search", searched_by), ("train", trained_by)):
        file = path / "candidates" / "exact_seed0" / kind / "config.json"
        rewrite(file, lambda document, n=replicas: document["settings"].update(replicas=n))
    (entry,) = read_entries([str(path)])
    assert entry.training_seconds == trained_by * alone.training_seconds
    assert entry.search_seconds == searched_by * alone.search_seconds
    costs = [[point["search_seconds"] for point in e.snapshots] for e in (alone, entry)]
    assert costs[1] == [searched_by * seconds for seconds in costs[0]]
