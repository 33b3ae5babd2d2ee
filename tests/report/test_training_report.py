"""What a training shows."""

import pathlib
from types import SimpleNamespace

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata

from tf_darts.cells.published import PUBLISHED
from tf_darts.report.run_report import _session_name, settings_table
from tf_darts.report.training_report import TrainingReport
from tf_darts.runtime.environment import ENVIRONMENT, record_start

SETTINGS = {"epochs": 2, "cutout": True, "load": "", "cell": {"a|b": [1]}}
NETWORK = SimpleNamespace(score="perplexity", score_mode="min")
RECORDS = [
    {"epoch": 1, "step": 5, "train_perplexity": 9.0, "validation_perplexity": 8.0},
    {
        "epoch": 2,
        "step": 10,
        "train_perplexity": 7.0,
        "validation_perplexity": 5.0,
        "validation_loss": 1.6,
        "validation_unaveraged_perplexity": 6.0,
        "validation_unaveraged_loss": 1.8,
        "averaged": True,
    },
]


def test_curves_that_compare_stand_together(tmp_path):
    cell = PUBLISHED["recurrent"]["darts_v2"]
    report = TrainingReport(tmp_path, NETWORK, cell, {"dataset": "some text"}, ("trivial", 9.5))
    report.on_start(0, 10)
    step = {"train_loss": 2.0, "train_perplexity": 7.4, "learning_rate": 0.1, "gradient_norm": 3.0}
    report.on_step(1, step)
    for i, record in enumerate(RECORDS):
        report.on_epoch(record, RECORDS[: i + 1])
    report.on_end()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert set(events.Tags()["tensors"]) == {
        "configuration",
        "environment",
        "_hparams_/session_start_info",
        "performance/peak_gigabytes",
        "cell",
        "curves",
        "loss/train",
        "loss/validation",
        "loss/validation_unaveraged",
        "perplexity/train",
        "perplexity/validation",
        "perplexity/validation_unaveraged",
        "optimization/learning_rate",
        "gradients/weights",
    }
    assert all(event.step == 0 for event in events.Tensors("environment"))
    for picture in ("cell", "curves"):
        assert (tmp_path / "plots" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def told(tmp_path):
    """The events of a training, of which a function is told; and their text of a name."""
    cell = PUBLISHED["recurrent"]["darts_v2"]
    run = tmp_path / "run"
    run.mkdir()

    def tell(activity):
        report = TrainingReport(run, NETWORK, cell, SETTINGS | {"dataset": "some text"})
        activity(report)
        report.on_end()
        events = EventAccumulator(str(run), size_guidance={"tensors": 0})
        events.Reload()
        return events

    return run, tell


def _text(events, name):
    (event,) = events.Tensors(name)
    return tf.make_ndarray(event.tensor_proto).reshape(-1)[0].decode()


def test_settings_are_a_table_and_nested_ones_stand_below_it(told):
    table = settings_table(SETTINGS)
    assert table.startswith("| setting | value |\n| --- | --- |\n| epochs | `2` |\n")
    assert "| cutout | `true` |\n| load |  |\n\ncell:\n\n```json\n" in table
    assert table.endswith('{"a|b": [1]}\n```\n')
    _, tell = told
    assert table[:40] in _text(tell(lambda report: report.on_start(0, 2)), "configuration")


def test_the_environment_is_told(told):
    run, tell = told
    record_start(run)
    text = _text(tell(lambda report: report.on_start(0, 2)), "environment")
    assert "\n- **command**: " in text and "\n- **versions**: tf_darts " in text
    assert "\n- **devices**: CPU" in text


@pytest.mark.parametrize("content", [None, "{"])
def test_an_environment_that_nobody_knows(told, content):
    run, tell = told
    if content is not None:
        (run / ENVIRONMENT).write_text(content)
    assert "not recorded" in _text(tell(lambda report: report.on_start(0, 2)), "environment")


def test_a_session_begins_with_what_a_narrow_column_shows():
    candidate = pathlib.Path("runs/study/candidates/exact_seed0/train")
    assert _session_name(candidate) == "exact_seed0/train in runs/study/candidates"
    assert _session_name(pathlib.Path("RUN")) == "RUN in ."


def test_a_run_is_a_session_of_hparams(told):
    run, tell = told

    def begun(report):
        report.on_start(0, 2)

    content = tell(begun).SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    session = metadata.parse_session_start_info_plugin_data(content)
    values = {
        name: value.string_value or value.bool_value or value.number_value
        for name, value in session.hparams.items()
    }
    assert values == {"epochs": 2.0, "cutout": True, "load": 0.0, "dataset": "some text"}
    assert session.group_name == f"run in {run.parent}"  # settings of other runs may be equal

    def ends(report):
        report.on_start(2, 2)
        report.on_finish(RECORDS)

    events = tell(ends)
    assert len(events.Tensors(metadata.SESSION_START_INFO_TAG)) == 1, "told once"
    content = events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    end = metadata.parse_session_end_info_plugin_data(content)
    assert end.status == api_pb2.STATUS_SUCCESS
