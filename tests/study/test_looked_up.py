"""Studies whose cells are looked up in a table in place of being trained."""

import csv
import re
import signal

import keras_tuner
import numpy as np
import pytest
from keras_tuner.engine.trial import Trial

from tests.support import toy_table
from tf_darts.benchmarks import NasBench201
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.space import find_space
from tf_darts.config.presets import configure
from tf_darts.errors import StateError, UserError
from tf_darts.report import ranking
from tf_darts.report.summary_report import write_report
from tf_darts.runtime.signals import Stopped, StopRequest
from tf_darts.study import run_study as studies
from tf_darts.study.looked_up import TableScores
from tf_darts.study.plan import plan
from tf_darts.study.run_study import run_study
from tf_darts.study.settings import search_config, training_config

BLACK_BOX = {"mode": "black_box", "dataset": "cifar10", "space": "nasbench201", "trials": 6}
SELECT = {
    "mode": "select",
    "dataset": "cifar10",
    "space": "nasbench201",
    "candidates": "random,all_3x3",
    "count": 3,
}

HYPERBAND = {name: value for name, value in BLACK_BOX.items() if name != "trials"}
HYPERBAND |= {"tuner": "hyperband"}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return toy_table.write(tmp_path_factory.mktemp("toy") / "toy.csv")


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr(ranking, "ranking_plot", lambda ranking: None)
    monkeypatch.setattr(ranking, "save_figure", lambda figure, path: path.touch())


def study(directory, table, base=BLACK_BOX, **settings):
    given = base | settings | {"table": str(table), "run_dir": str(directory)}
    return run_study(configure(given))


def asked(table, base):
    """The configuration of a study with the table."""
    return configure(base | {"table": str(table)})


def score_of(row, column="cifar10"):
    """The score in the toy table of a row's cell."""
    return toy_table.scores([name for name, _ in row["genotype"]["nasbench201"]])[column]


def test_a_black_box_search_is_lookups(tmp_path, table):
    found = study(tmp_path / "study", table)
    rows = found["candidates"]
    assert len(rows) == 6 and {row["status"] for row in rows} == {"completed"}
    for row in rows:
        assert row["score"] == score_of(row) and row["training_seconds"] == 0.0
        assert set(row["table"]) == set(toy_table.COLUMNS)
        folder = tmp_path / "study" / "candidates" / row["name"]
        assert not (folder / "train").exists() and (folder / "genotype.json").exists()
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True) and found["score"] == "accuracy"
    document = (tmp_path / "study" / "ranking.md").read_text()
    assert "its column cifar10; higher is better" in document and "nothing was trained" in document
    for name in ("best of 6 random", "all_3x3", "best_cifar100", "optimum", "expected of random"):
        assert name in document
    with (tmp_path / "study" / "ranking.csv").open(newline="") as file:
        listed = [float(row["table.cifar100"]) for row in csv.DictReader(file)]
    assert listed == [score_of(row, "cifar100") for row in rows]
    said = ranking.ranking_summary(found)
    assert "best cifar10" in said and "percentile" in said and "optimum" in said
    # Finished, and extended: the same candidates and more.
    assert study(tmp_path / "study", table) == found
    longer = study(tmp_path / "study", table, trials=8)["candidates"]
    assert {row["name"] for row in rows} < {row["name"] for row in longer} and len(longer) == 8


def test_another_column_and_other_tables(tmp_path, table):
    found = study(tmp_path / "study", table, table_score="cifar100")
    assert all(row["score"] == score_of(row, "cifar100") for row in found["candidates"])
    moved = tmp_path / "moved.csv"
    moved.write_bytes(table.read_bytes())
    again = study(tmp_path / "study", moved, table_score="cifar100")
    assert again["candidates"] == found["candidates"]
    moved.write_text(moved.read_text().replace(",89.", ",88."))
    for path, column in ((moved, "cifar100"), (table, "cifar10")):
        with pytest.raises(StateError, match=r"another configuration .*table"):
            study(tmp_path / "study", path, table_score=column)


def test_a_selection_is_lookups_and_tests_sources_together(tmp_path, table):
    found = study(tmp_path / "study", table, SELECT)
    rows = {row["name"]: row for row in found["candidates"]}
    assert set(rows) == {"random_seed0", "random_seed1", "random_seed2", "all_3x3"}
    assert rows["all_3x3"]["score"] == toy_table.scores(("nor_conv_3x3",) * 6)["cifar10"]
    sources = {(row["cells"], row["score"]): row for row in found["table"]["sources"]}
    assert set(sources) == {("random", column) for column in ("cifar10", "cifar100")}
    assert sources["random", "cifar10"]["n"] == "3" and "p (Fisher)" in sources["random", "cifar10"]
    report = write_report([str(tmp_path / "study")], str(tmp_path / "report"), "random", str(table))
    text = report.read_text()
    assert "### Cells looked up in a table of trained ones" in text
    assert "#### In the table" in text and "Cells trained from scratch" not in text


def test_hyperband_s_short_trainings_are_of_the_short_column(tmp_path, table):
    whole = study(tmp_path / "whole", table, HYPERBAND, train_settings="epochs=27")
    epochs = [row["settings"]["epochs"] for row in whole["candidates"]]
    assert set(epochs) == {1, 3, 9, 27}
    for row, own in zip(whole["candidates"], epochs, strict=True):
        assert row["score"] == score_of(row, "cifar10" if own == 27 else "cifar10_valid_12_epochs")
    assert TableScores(asked(table, HYPERBAND), training_config(asked(table, HYPERBAND)))
    report = write_report([str(tmp_path / "whole")], str(tmp_path / "report"), "random", str(table))
    text = report.read_text()
    full = [row["score"] for row in whole["candidates"] if row["settings"]["epochs"] == 27]
    mean, best = np.mean(full), max(full)
    row = re.search(r"\| hyperband \| (\d+) \| ([\d.]+) ± \S+ \| ([\d.]+) \|", text)
    assert row.groups() == (str(len(full)), f"{mean:.2f}", f"{best:.2f}"), "as the study counts"
    assert "#### In the table" in text and "Fisher" not in text, "its trials depend on each other"


def proposed(table, seed, trials, **settings):
    """The cells that a black-box search proposes, in their order, whatever their scores."""
    config = configure(BLACK_BOX | settings | {"seed": seed, "trials": trials, "table": str(table)})
    planned, cells = plan(config), []
    oracle = planned.oracle("max")
    for number in range(trials):
        trial = Trial(keras_tuner.HyperParameters(), trial_id=str(number))
        trial.hyperparameters.values = oracle.populate_space(trial.trial_id)["values"]
        cells.append(planned.make_candidate(trial).cell)
    return cells


def test_random_trials_have_the_expectation_of_the_best_of_n(table):
    """keras-tuner's draws are uniform over the cells, none twice."""
    scores = NasBench201(table)
    bests = [
        max(scores.query(cell)["cifar10"] for cell in proposed(table, seed, 5))
        for seed in range(60)
    ]
    mean, deviation = scores.null("cifar10").best_of(5, replacement=False)
    assert abs(np.mean(bests) - mean) < 4 * deviation / np.sqrt(len(bests))
    assert np.std(bests) > 0.5 * deviation


def test_studies_of_other_seeds_have_other_cells(table):
    first = {*proposed(table, 0, 30)}
    for seed in (1, 6, 12):
        assert len(first & {*proposed(table, seed, 30)}) < 3
    # Those that train go on with the cells that they would have had.
    trained = [{*proposed("", seed, 30)} for seed in (0, 6)]
    assert len(trained[0] & trained[1]) == 29


def test_a_signal_stops_between_lookups(tmp_path, table, monkeypatch):
    whole = study(tmp_path / "whole", table)["candidates"]
    stop, query = StopRequest(), studies.table_scores

    class Stops:
        def __enter__(self):
            return stop

        def __exit__(self, *error):
            return None

    def stopping(config, training):
        found = query(config, training)
        lookup = found.table.query

        def count(cell):
            if len(list((tmp_path / "study" / "candidates").iterdir())) == 3:
                stop.receive(signal.SIGTERM, None)
            return lookup(cell)

        found.table.query = count
        return found

    with monkeypatch.context() as patch:
        patch.setattr(studies, "_stops", lambda part: Stops())
        patch.setattr(studies, "table_scores", stopping)
        with pytest.raises(Stopped, match="the same command goes on"):
            study(tmp_path / "study", table)
    done = [*(tmp_path / "study" / "candidates").glob("*/candidate.json")]
    assert len(done) == 3
    assert study(tmp_path / "study", table)["candidates"] == whole


def test_a_cell_that_is_not_there_fails_alone(tmp_path):
    known = random_cells(find_space("nasbench201").topologies, 1)["cell"]
    few = [tuple(name for node in known for name, _ in node), ("nor_conv_3x3",) * 6]
    table = toy_table.write(tmp_path / "few.csv", few)
    rows = {row["name"]: row for row in study(tmp_path / "study", table, SELECT)["candidates"]}
    assert rows["random_seed1"]["status"] == rows["all_3x3"]["status"] == "completed"
    failed = rows["random_seed0"]
    assert failed["status"] == "failed" and "few.csv: has no cell |" in failed["reason"]
    with pytest.raises(UserError, match=r"all 6 candidates failed .*has no cell"):
        study(tmp_path / "none", table)


@pytest.mark.parametrize(
    ("base", "settings", "sentence"),
    [
        (BLACK_BOX, {"train_settings": "epochs=9"}, "--train_settings has no meaning for --table"),
        (HYPERBAND, {"train_settings": "epochs=9,seed=1"}, "--train_settings has no meaning"),
        (BLACK_BOX, {"precision": "float64"}, "--precision has no meaning for --table"),
        (BLACK_BOX, {"dataset": "digits"}, "has no column digits; give --table_score=cifar10|cif"),
        (BLACK_BOX, {"table_score": "svhn"}, "--table_score=svhn: "),
        (HYPERBAND, {"table_score": "cifar100"}, "no column cifar100_valid_12_epochs or the like"),
        (BLACK_BOX, {"space": "convolutional"}, "of which there are no tables"),
        (BLACK_BOX, {"space": ""}, "of the space convolutional, of which there are no tables"),
        (BLACK_BOX, {"table": "/nowhere.csv"}, "/nowhere.csv: cannot be read"),
        (BLACK_BOX, {"table": "", "table_score": "cifar10"}, "no meaning without --table"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path, table, base, settings, sentence):
    given = {"table": str(table), "run_dir": str(tmp_path / "study")} | base | settings
    with pytest.raises(UserError) as error:
        run_study(configure(given))
    assert sentence in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "study").exists()


def test_the_columns_of_data_sets(table):
    """A data set's name, as TensorFlow Datasets write it, is that of its column."""
    for dataset in ("cifar10", "cifar10:3.*.*", "cifar100"):
        config = asked(table, BLACK_BOX | {"dataset": dataset})
        assert TableScores(config, training_config(config)).column == dataset.split(":")[0]


def test_searches_of_a_selection_are_looked_up_on_their_way(table):
    config = asked(table, SELECT | {"candidates": "darts_first"})
    assert search_config(config, {"method": "darts_first"}).table == str(table)
