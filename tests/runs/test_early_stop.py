"""A search that a rule ends is finished: reports, animations and studies take it."""

import json

import pytest
from PIL import Image

from tests.support.registries import forget_members
from tf_darts.bilevel.epoch_rules import Directions, EpochRule, Stop
from tf_darts.cells import genotype_files
from tf_darts.cli import modes
from tf_darts.config import methods
from tf_darts.config.presets import configure
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.report.read_runs import read_entries
from tf_darts.report.summary_report import write_report
from tf_darts.study.run_study import run_study

# Where nothing is compiled, the clear forms are the fast ones.
SIZES = {"units": 8, "bptt": 4, "batch_size": 4, "steps_per_epoch": 1, "accelerate": "off"}
WORDS = " the cat <unk> sat on the mat \n"


@pytest.fixture
def enough(monkeypatch):
    forget_members(monkeypatch)

    @methods.register("enough")
    class Enough(EpochRule):
        """Stops after some epochs, with the cell of the one before."""

        enough_epochs: int = setting(3, "after which it stops", minimum=2)

        def directions(self, history, facts):
            done = len(history) >= self.enough_epochs
            return Directions(stop=Stop(len(history) - 1, "that is enough") if done else None)


@pytest.fixture
def data(tmp_path):
    for part, lines in (("train", 40), ("valid", 8), ("test", 8)):
        (tmp_path / f"{part}.txt").write_text(WORDS * lines, encoding="utf-8")
    return {"dataset": "text", "data_dir": str(tmp_path)}


@pytest.mark.slow
def test_a_search(eagerly, uncounted, undrawn, tmp_path, enough, data, capsys):
    asked = {"mode": "search", "rules": "enough", "epochs": 9, "hypergradient": "first_order"}
    asked |= {"weight_learning_rate": 0.1, "enough_epochs": 2}
    asked |= {"operations": "tanh,identity", "gap_epochs": 0}
    config = configure(asked | data | SIZES | {"run_dir": str(tmp_path / "run")})
    modes.search(config)
    said = capsys.readouterr().out
    assert "Stopped after epoch 2: that is enough. The cell is that of epoch 1." in said
    assert "Found after 2 epochs" in said
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    cell = genotype_files.load(tmp_path / "run" / "genotype.json")
    assert len(history) == 2 and cell.to_dict() == history[0]["genotype"]
    assert cell.provenance["supernet"]["epoch"] == 1
    with Image.open(tmp_path / "run" / "plots" / "cell.gif") as animation:
        assert animation.format == "GIF"
    (entry,) = read_entries([str(tmp_path / "run")])
    assert entry.value == history[0]["validation_perplexity"] and entry.cell == cell
    assert entry.method == "darts_first+enough" and len(entry.history) == 2
    report = write_report([str(tmp_path / "run")], str(tmp_path / "report"), "random")
    assert "darts_first+enough" in report.read_text()
    before = (tmp_path / "run" / "genotype.json").read_bytes()
    modes.search(config)  # it has finished, and says the same
    assert "The cell is that of epoch 1." in capsys.readouterr().out
    assert (tmp_path / "run" / "genotype.json").read_bytes() == before
    (tmp_path / "run" / "genotype.json").write_text('{"schema_version": 1')
    with pytest.raises(UserError, match=r"cannot be read \(not a genotype file, it is not JSON"):
        modes.search(config)


@pytest.mark.long
def test_a_study(tmp_path, enough, data):
    search = "rules=enough,epochs=9,weight_learning_rate=0.1," + ",".join(
        f"{k}={v}" for k, v in SIZES.items()
    )
    train = "epochs=1,learning_rate=0.1," + ",".join(f"{k}={v}" for k, v in SIZES.items())
    asked = {"mode": "select", "candidates": "darts_first", "count": 1, "snapshots": 3}
    asked |= {"search_settings": search, "train_settings": train}
    ranking = run_study(configure(asked | data | {"run_dir": str(tmp_path / "study")}))
    (row,) = ranking["candidates"]
    assert row["status"] == "completed"
    assert [point["epoch"] for point in row["snapshots"]] == [1, 2, 3]
    found = tmp_path / "study" / "candidates" / "darts_first_seed0" / "search" / "result.json"
    assert json.loads(found.read_text())["epoch"] == 2
    assert row["genotype"] == json.loads(found.read_text())["genotype"]
