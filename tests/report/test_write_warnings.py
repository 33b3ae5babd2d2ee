"""A picture or an event file that cannot be written is a warning, and the run goes on."""

import errno
import os
from types import SimpleNamespace

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tf_darts.cells.genotype import SPACES
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.topologies import TOPOLOGIES
from tf_darts.errors import StorageError
from tf_darts.report import tensorboard
from tf_darts.report.ranking import write_ranking
from tf_darts.report.search_report import SearchReport
from tf_darts.report.training_report import TrainingReport
from tf_darts.report.write_warnings import WriteWarnings
from tf_darts.runtime import files

CELL = PUBLISHED["recurrent"]["darts_v2"]
NAME = "exp[lr=0.025] a*b"


def training_report(directory):
    network = SimpleNamespace(score="perplexity", score_mode="min")
    return TrainingReport(directory, network, CELL, {"dataset": "some text"})


def run(report, epochs=2, **metrics):
    """The events of a short training."""
    report.on_start(0, epochs)
    history = []
    for epoch in range(1, epochs + 1):
        report.on_step(epoch, {"train_loss": 2.0, **metrics})
        scores = {"train_perplexity": 9.0, "validation_perplexity": 8.0}
        unknown = {"validation_note": None, "curvatures": [1.0]} | metrics
        history.append({"epoch": epoch, "step": epoch, **scores, **unknown})
        report.on_epoch(history[-1], history)
        report.on_checkpoint()
    report.on_end()


def points(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events.Tags()["tensors"]


def events(folder):
    return sorted(folder.glob("events.out.tfevents.*"))


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / NAME
    path.mkdir()
    return path


def test_pictures_without_a_place(directory, capsys):
    (directory / "plots").touch()
    run(training_report(directory))
    assert capsys.readouterr().err == (
        f"warning: {directory}/plots/cell.png cannot be written (File exists);"
        " the training goes on\n"
    )
    assert "loss/train" in points(directory)


def test_a_picture_whose_place_is_taken(directory, capsys):
    (directory / "plots" / "curves.png").mkdir(parents=True)
    run(training_report(directory))
    assert capsys.readouterr().err.count("warning: ") == 1
    assert (directory / "plots" / "cell.png").is_file()


def test_a_disk_that_is_full_for_a_while(directory, capsys, monkeypatch):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(*arguments):
        raise full

    report = training_report(directory)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", refuse)
        run(report)
    err = capsys.readouterr().err
    assert err.count("(No space left on device); the training goes on\n") == 2  # for each folder
    assert "/plots/cell.png" in err and "/report.html" in err
    run(report)
    assert {file.name for file in (directory / "plots").iterdir()} == {"cell.png", "curves.png"}
    assert capsys.readouterr().err == ""


def test_event_files_without_a_place(directory, capsys, monkeypatch):
    create = tf.summary.create_file_writer
    with monkeypatch.context() as patch:
        patch.setattr(
            tf.summary, "create_file_writer", lambda path: create(f"{path}/plots/cell.png")
        )
        run(training_report(directory))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {directory} cannot be written (")
    assert (directory / "plots" / "curves.png").is_file() and not events(directory)


def test_a_run_directory_that_is_gone_is_not_made_again(directory, capsys):
    report = training_report(directory)
    directory.rmdir()
    run(report)
    assert not directory.exists()
    assert "No such file or directory" in capsys.readouterr().err


class Cut:
    """A writer on a full disk: the last record is not whole, and TensorFlow says nothing."""

    def __init__(self, writer, folder):
        self._writer, self._folder = writer, folder
        self.as_default, self.close = writer.as_default, writer.close

    def flush(self):
        self._writer.flush()
        (file,) = events(self._folder)
        os.truncate(file, file.stat().st_size - 3)


def test_an_event_file_that_ends_within_a_record_is_noticed(directory, capsys, monkeypatch):
    folder, create = directory, tf.summary.create_file_writer
    (folder / "history.jsonl").write_text("{}\n")
    log = tensorboard.TensorBoardLog(folder)
    with monkeypatch.context() as patch:
        patch.setattr(tf.summary, "create_file_writer", lambda path: Cut(create(path), folder))
        log.scalars({"loss": 1.0}, 1)
        with pytest.raises(OSError, match="No space left"):
            log.flush()
    log.scalars({"accuracy": 1.0}, 2)
    log.close()  # in a file of its own
    assert len(events(folder)) == 2 and "accuracy" in points(folder)


def test_events_of_a_resumed_run_in_a_directory_of_any_name(directory):
    for _ in range(2):
        report = training_report(directory)
        report.on_start(1, 2)
        report.on_step(2, {"train_loss": 2.0})
        report.on_end()
    names = [file.name for file in events(directory)]
    assert sum("start" in name for name in names) == 1, "the second knows of the first"


def test_a_run_of_an_older_version_goes_on_in_its_own_folder(directory):
    old = directory / "tensorboard"
    old.mkdir()
    run(training_report(directory))
    assert len(events(old)) == 1 and not events(directory)


def test_metrics_that_nobody_knows_are_logged(directory):
    run(training_report(directory), curvature=3.0, validation_dice=0.5)
    assert {"other/curvature", "dice/validation", "other/validation_dice"} <= set(points(directory))


def test_a_search_with_metrics_that_nobody_knows(directory):
    cells = TOPOLOGIES["recurrent"]
    supernet = SimpleNamespace(
        score="perplexity",
        score_mode="min",
        cells=cells,
        genotype_class=SPACES["recurrent"],
    )
    report = SearchReport(directory, supernet, {"epochs": 50})
    report.on_start(0, 1)
    report.on_step(1, {"train_loss": 2.0, "train_dice": 0.5, "eigenvalue": 4.0})
    shapes = {name: (cell.edges, len(cell.operations)) for name, cell in cells.items()}
    record = {
        "epoch": 1,
        "step": 1,
        "genotype": CELL.to_dict(),
        "validation_loss": 2.0,
        "validation_perplexity": 7.0,
        "validation_dice": None,
        "eigenvalue": [4.0],
        "entropy": 1.0,
        "mixing": {n: [[1 / columns] * columns] * rows for n, (rows, columns) in shapes.items()},
    }
    report.on_epoch(record, [record])
    assert not (directory / "plots" / "cell.gif").exists()
    report.on_finish([record])  # of the 50 epochs that it was given: it ended early
    report.on_end()
    assert {"other/eigenvalue", "other/train_dice"} <= set(points(directory))
    assert (directory / "plots" / "cell.gif").is_file()


def test_a_ranking_without_its_picture(tmp_path, capsys):
    (tmp_path / "plots").touch()
    ranking = {"score": "accuracy", "score_mode": "max", "dataset": "digits", "candidates": []}
    warnings = WriteWarnings("study")
    for _ in range(3):  # after every candidate
        write_ranking(tmp_path, ranking, warnings)
    assert (tmp_path / "ranking.json").is_file()
    assert capsys.readouterr().err.count("the study goes on") == 1
    (tmp_path / "ranking.csv").unlink()
    (tmp_path / "ranking.csv").mkdir()
    with pytest.raises(StorageError, match=r"ranking\.csv: cannot be written"):
        write_ranking(tmp_path, ranking, warnings)
