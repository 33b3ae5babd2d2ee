import dataclasses
import shutil

import pytest

from tf_darts.errors import UserError
from tf_darts.report.entries import SUPERNET, TRAINED, group
from tf_darts.report.read_runs import read_entries
from tf_darts.runtime.run_directory import RunDirectory


def test_a_search(runs):
    path = runs.search("search_a", seed=3, hypergradient="first_order")
    (entry,) = read_entries([str(path)])
    assert (entry.name, entry.scored_by, entry.method, entry.seed) == (
        "search_a",
        SUPERNET,
        "darts_first",
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
        "darts_exact",
        140.0,
        138.0,
    )
    assert (entry.search_seconds, entry.training_seconds) == (7200.0, 3600.0)
    assert entry.counts["weights"] == 4_810_000
    assert (entry.settings["units"], entry.settings["search.units"]) == (8, 16)
    assert "search.units" not in entry.training_settings
    assert entry.animation == search / "plots" / "cell.gif"


FOUND = {
    "mode": "search",
    "method": "exact",
    "hypergradient": "exact",
    "optimization": "bilevel",
    "seed": 4,
    "search_seconds": 600.0,
    "replicas": 2,
    "settings": {"mode": "search", "seed": 4, "hypergradient": "exact", "units": 16},
}


def test_a_training_whose_search_is_gone_is_still_of_its_method(runs, tmp_path):
    search = runs.search("search_a", hypergradient="first_order", units=32)
    path = runs.train("train_a", given=search / "genotype.json", found=FOUND)
    (entry,) = read_entries([str(path)])
    # What the cell says counts, not what the search's directory has become.
    assert (entry.method, entry.search_seconds) == ("darts_exact", 1200.0)
    assert entry.settings["search.units"] == 16 and entry.settings["units"] == 8
    assert "search.seed" not in entry.settings and "search.mode" not in entry.settings
    assert entry.animation == search / "plots" / "cell.gif"
    search.rename(tmp_path / "elsewhere")
    (moved,) = read_entries([str(path)])
    assert moved == dataclasses.replace(entry, animation=None)


def test_an_earlier_cell_of_a_search_is_not_counted_with_its_last(runs):
    early = runs.train("train_a", given="cell_01234567", found=FOUND | {"of_epoch": 3})
    last = runs.train("train_b", given="cell_89abcdef", found=FOUND | {"seed": 5})
    groups = group(read_entries([str(early), str(last)]))
    assert {made.label for made in groups} == {"darts_exact (epoch 3)", "darts_exact"}


@pytest.mark.parametrize("given", ["cell_01234567", "darts_v2"])
def test_a_training_of_a_found_cell_in_memory(runs, given, monkeypatch):
    (runs.directory / "plots").mkdir()
    (runs.directory / "plots" / "cell.gif").write_bytes(b"GIF89a")
    monkeypatch.chdir(runs.directory)  # a picture that is no search's
    (entry,) = read_entries([str(runs.train("train_a", given=given, found=FOUND))])
    assert (entry.method, entry.cell_id, entry.animation) == ("darts_exact", given, None)


def test_a_training_of_a_candidate_s_cell(runs):
    path = runs.train("train_a", given="STUDY/genotype.json", found={"method": "random", "seed": 1})
    (entry,) = read_entries([str(path)])
    assert (entry.method, entry.search_seconds) == ("random", None)
    old = runs.train("train_b", given="STUDY/genotype.json", found={"source": "random"})
    assert read_entries([str(old)])[0].method == "random"


@pytest.mark.parametrize("change", [{"settings": 3}, {"search_seconds": None}, {"replicas": "2"}])
def test_a_provenance_that_is_no_search_s(runs, change):
    path = runs.train("train_a", found=FOUND | change)
    with pytest.raises(UserError, match=r"genotype\.json: .*its provenance is no search's"):
        read_entries([str(path)])


def test_a_search_that_ended_early(runs, rewrite):
    path = runs.search("search_a", epochs=50)
    with pytest.raises(UserError, match="has finished 2 of 50 epochs; go on with"):
        read_entries([str(path)])
    (path / "result.json").write_text('{"epoch": 2, "epochs": 2}')
    (entry,) = read_entries([str(path)])
    assert (entry.value, len(entry.history)) == (200.0, 2)
    train = runs.train("train_a", given=path / "genotype.json")  # as commit 517e77a did
    assert read_entries([str(train)])[0].search_seconds == 7200.0
    rewrite(path / "result.json", lambda result: result.update(epochs=3))
    with pytest.raises(UserError, match="has 2 records, and the run ended after 3 epochs"):
        read_entries([str(path)])


def test_a_search_that_ended_early_in_a_study(runs, rewrite):
    path = runs.study("study", {"exact": [130.0]})
    search = path / "candidates" / "exact_seed0" / "search"
    rewrite(search / "config.json", lambda config: config["settings"].update(epochs=50))
    (search / "result.json").write_text('{"epoch": 2, "epochs": 2}')
    (entry,) = read_entries([str(path)])
    assert entry.settings["search.epochs"] == 50


def test_a_study_whose_searches_are_gone(runs, rewrite):
    path = runs.study("study", {"exact": [130.0]})
    home = path / "candidates" / "exact_seed0"
    rewrite(home / "train" / "genotype.json", lambda file: file.update(provenance=FOUND))
    shutil.rmtree(home / "search")
    (entry,) = read_entries([str(path)])
    assert entry.settings["search.units"] == 16
    assert (entry.search_seconds, entry.animation) == (2 * 7200.0, None)  # two replicas found it


def test_imported_weights_are_no_training_to_report(runs):
    path = runs.train("train_a", finished=False)
    (path / "history.jsonl").unlink()
    (path / "result.json").write_text('{"checkpoint": "checkpoints/imported", "epochs": 0}')
    with pytest.raises(UserError, match="has no epochs, as where weights are imported"):
        read_entries([str(path)])


def test_the_space_of_a_run_decides_its_score(runs, rewrite):
    path = runs.search("search_a")
    rewrite(path / "config.json", lambda config: config.update(kind="search", space="recurrent"))
    assert read_entries([str(path)])[0].score == "perplexity"
    rewrite(path / "config.json", lambda config: config.update(space="convolutional"))
    with pytest.raises(UserError, match=r"has no score that reports know \(accuracy\)"):
        read_entries([str(path)])
    rewrite(path / "config.json", lambda config: config.update(space="graph"))
    with pytest.raises(UserError, match=r"config\.json: .*unknown space 'graph'"):
        read_entries([str(path)])


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


def test_the_data_set_of_a_search_tells_its_cells_apart(runs):
    def train(name, dataset, seed):
        provenance = FOUND | {"settings": FOUND["settings"] | {"dataset": dataset}}
        return str(runs.train(name, seed=seed, found=provenance))

    groups = group(read_entries([train("a", "ptb", 0), train("b", "wikitext2", 1)]))
    assert [made.label for made in groups] == [
        "darts_exact, search.dataset=ptb",
        "darts_exact, search.dataset=wikitext2",
    ]


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


def test_twice_the_same(runs, tmp_path):
    path = str(runs.search("a"))
    with pytest.raises(UserError, match="is given twice"):
        read_entries([path, f"{path}/"])
    parent, name = path.rsplit("/", 1)
    (tmp_path / "link").symlink_to(path)
    for spelling in (f"{parent}/../{parent.rsplit('/', 1)[1]}/{name}", str(tmp_path / "link")):
        with pytest.raises(UserError, match="is given twice"):
            read_entries([path, spelling])
