import pytest

from tf_darts.errors import UserError
from tf_darts.report.entries import SUPERNET
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


def test_a_training_without_validation(runs, rewrite):
    path = runs.train("final")
    rewrite(path / "result.json", lambda result: result.pop("validation_perplexity"))
    (entry,) = read_entries([str(path)])
    assert entry.value is None and not entry.reason


def test_runs_of_one_name_are_told_apart(runs, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    paths = [runs.search("x/run"), runs.search("y/run")]
    names = [entry.name for entry in read_entries(map(str, paths))]
    assert names[0].endswith("_x_run") and names[1].endswith("_y_run")


def test_joined_names_are_told_apart_too(runs, tmp_path):
    paths = []
    for folder in ("x/y", "x_y", "z"):
        (tmp_path / folder).mkdir(parents=True)
        paths.append(runs.search(f"{folder}/run"))
    names = [entry.name for entry in read_entries(map(str, paths))]
    assert len(set(names)) == 3 and names[1] == f"{names[0]}_2"


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
