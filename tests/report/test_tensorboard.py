import pytest
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import (
    EventAccumulator as PluginEventAccumulator,  # the one of the TensorBoard server
)

from tf_darts.report.plots import figure_to_png
from tf_darts.report.tensorboard import TensorBoardLog


def _tensors(folder, accumulator=EventAccumulator):
    """All points of a folder: {name: [(step, value), …]}."""
    events = accumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {
        name: [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(name)]
        for name in events.Tags()["tensors"]
    }


@pytest.fixture
def log(tmp_path):
    log = TensorBoardLog(tmp_path)
    yield log
    log.close()


def test_scalars_are_read_back(log, tmp_path):
    log.scalars({"loss/train": 2.5, "loss/valid": 3.0}, step=1)
    log.scalars({"loss/train": 1.5}, step=2)
    log.flush()
    assert _tensors(tmp_path) == {"loss/train": [(1, 2.5), (2, 1.5)], "loss/valid": [(1, 3.0)]}


def test_picture_and_text_are_read_back(log, tmp_path):
    log.picture("cell", figure_to_png(Figure(figsize=(2, 1), facecolor="red")), step=3)
    log.text("genotype", "**relu** 0", step=3)
    log.flush()
    points = _tensors(tmp_path)
    ((step, (width, height, png)),) = points["cell"]
    assert (step, width, height) == (3, b"300", b"150")
    assert tf.io.decode_png(png)[5, 5].numpy().tolist()[:3] == [255, 0, 0]
    assert points["genotype"] == [(3, b"**relu** 0")]


def test_nothing_reaches_the_disk_before_flush(log, tmp_path):
    log.scalars({"loss": 0.0}, step=0)
    log.flush()
    for step in range(1, 500):
        log.scalars({"loss": 0.0}, step=step)
    assert [step for step, _ in _tensors(tmp_path)["loss"]] == [0]
    log.close()
    assert [step for step, _ in _tensors(tmp_path)["loss"]] == list(range(500))


def test_no_file_without_points(log, tmp_path):
    log.purge_from(0)
    log.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kills", [1, 2])
def test_resumed_run_supersedes_what_was_flushed_after_its_checkpoint(tmp_path, kills):
    (tmp_path / "events.out.tfevents.backup").touch()  # a stray file is no hindrance
    steps = range(1, 5)
    for attempt in range(kills + 1):
        log = TensorBoardLog(tmp_path)
        if attempt:
            log.purge_from(3)  # the checkpoint is of step 2
        for step in steps:
            log.scalars({"loss": 10.0 * attempt + step}, step)
            log.flush()
        steps = range(3, 5)
    last = 10.0 * kills
    assert _tensors(tmp_path, PluginEventAccumulator)["loss"] == [
        (1, 1.0),
        (2, 2.0),
        (3, last + 3),
        (4, last + 4),
    ]
