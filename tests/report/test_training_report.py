"""What a training shows."""

from types import SimpleNamespace

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tf_darts.cells.published import PUBLISHED
from tf_darts.report.training_report import TrainingReport

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
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["tensors"]) == {
        "configuration",
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
    for picture in ("cell", "curves"):
        assert (tmp_path / "plots" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
