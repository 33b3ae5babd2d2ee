"""Studies with the real command: killing, several processes, black-box tuners, wrong input.

In this process, and without compiling functions, where no other process has a part in the test.
"""

import csv
import json
import pathlib
import random
import signal
import socket

import pytest

from tests.support import in_process
from tf_darts.cells import genotype_files
from tf_darts.config.method_names import current_name

pytestmark = pytest.mark.slow

TEXT = "units=8,bptt=8,epochs=2,steps_per_epoch=1,evaluation_batch_size=1000"
SEARCH = f"--search_settings={TEXT},batch_size=4,gap_epochs=0"
TRAIN = f"--train_settings={TEXT},batch_size=8,learning_rate=1,averaging_patience=0"
# Where nothing is compiled, the clear forms are the fast ones.
SIZES = "units=8,epochs=2,steps_per_epoch=1,evaluation_batch_size=40,accelerate=off"
SELECT = [
    "--mode=select",
    "--dataset=text",
    "--candidates=first_order,random",
    "--count=2",
    "--snapshots=2",
    "--operations=tanh,identity",
    "--deterministic",
    f"--search_settings={SIZES},batch_size=4,bptt=4,gap_epochs=0",
    f"--train_settings={SIZES},batch_size=8,bptt=6,learning_rate=1,averaging_patience=0",
]


def ranking(run_dir):
    """What a study found, without the clock's readings."""
    document = json.loads((run_dir / "ranking.json").read_text())
    for row in document["candidates"]:
        row.pop("search_seconds"), row.pop("training_seconds")
        for snapshot in row["snapshots"]:
            snapshot.pop("search_seconds")
    return document


@pytest.fixture(scope="module")
def select(tmp_path_factory):
    """The arguments of a selection, of which each program learns from a few lines."""
    folder, draw = tmp_path_factory.mktemp("texts"), random.Random(0)
    for name, lines in (("train", 80), ("valid", 40), ("test", 40)):
        text = [" ".join(draw.choices("abcdefghij", k=9)) + "\n" for _ in range(lines)]
        (folder / f"{name}.txt").write_text("".join(text))
    return [*SELECT, f"--data_dir={folder}"]


@pytest.fixture(scope="module")
def whole(eager_command, select, tmp_path_factory):
    """The directory of a selection that nothing interrupts."""
    directory = tmp_path_factory.mktemp("select")
    status, _, err = eager_command.run(*select, f"--run_dir={directory}")
    assert status == 0, err
    return directory


def test_a_selection_leaves_everything(eager_command, select, tmp_path):
    directory = tmp_path / "select"
    status, out, err = eager_command.run(*select, "--count=1", f"--run_dir={directory}")
    assert status == 0, err
    document = ranking(directory)
    rows = document["candidates"]
    assert document["score"] == "perplexity" and len(rows) == 2
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    best = genotype_files.load(directory / "genotype.json")
    assert best.to_dict() == rows[0]["genotype"]
    assert best.provenance["method"] == current_name(rows[0]["source"])
    assert best.provenance["seed"] == rows[0]["seed"]
    for row in rows:
        runs = directory / "candidates" / row["name"]
        record = json.loads((runs / "train" / "result.json").read_text())
        assert record["validation_perplexity"] == row["score"]
        searched = row["source"] == "first_order"
        assert (runs / "search").is_dir() == searched
        assert [point["epoch"] for point in row["snapshots"]] == ([1, 2] if searched else [])
        if searched:
            assert row["snapshots"][-1]["score"] == row["score"]
            found = genotype_files.load(runs / "search" / "genotype.json")
            assert found.to_dict() == row["genotype"]
        kept = genotype_files.load(runs / "genotype.json").provenance
        assert (kept["method"], kept["seed"]) == (current_name(row["source"]), row["seed"])
        assert ("settings" in kept) == searched
        trained = genotype_files.load(runs / "train" / "genotype.json").provenance
        assert kept.items() <= trained.items()
    with (directory / "ranking.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [row["name"] for row in rows]
    assert (directory / "plots" / "ranking.png").read_bytes().startswith(b"\x89PNG")
    assert out.count("Read text: ") == 1 + out.count("The program begins anew"), out
    for source in ("first_order", "random"):
        assert source in out and source in (directory / "ranking.md").read_text()


@pytest.mark.long
def test_killed_and_resumed_it_finds_the_same(eager_command, select, whole, tmp_path):
    arguments = (*select, f"--run_dir={tmp_path}")
    done = tmp_path / "candidates" / "first_order_seed1" / "search" / "history.jsonl"
    process = eager_command.start(*arguments)
    eager_command.wait_for(
        lambda: done.exists() and done.stat().st_size, process, "a second search"
    )
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    status, out, err = eager_command.run(*arguments)
    assert status == 0, err
    assert "first_order_seed0] score" not in out, "what was finished is not done again"
    assert ranking(tmp_path) == ranking(whole)


@pytest.mark.long  # a search and a training are asked to in test_main.py
def test_asked_to_stop_it_says_so(eager_command, select, tmp_path):
    process = eager_command.start(*select, f"--run_dir={tmp_path}", "--count=50")
    history = tmp_path / "candidates" / "first_order_seed0" / "search" / "history.jsonl"
    eager_command.wait_for(lambda: history.exists() and history.stat().st_size, process, "an epoch")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "the same command goes on" in err and "Traceback" not in err


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def member(name, port):
    """The environment of one process of a cluster on this machine."""
    return {
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": port,
    }


@pytest.mark.long
def test_a_chief_and_two_workers_find_what_one_process_finds(
    eager_command, select, whole, tmp_path
):
    arguments, port = (*select, f"--run_dir={tmp_path}"), free_port()
    workers = [eager_command.start(*arguments, **member(f"worker{i}", port)) for i in range(2)]
    chief = eager_command.start(*arguments, **member("chief", port))
    eager_command.wait_for((tmp_path / "config.json").exists, chief, "a configuration")
    status, _, err = eager_command.run(*arguments, **member("chief", free_port()))
    assert status == 2 and "another process is running there" in err, "two chiefs"
    outputs = [process.communicate(timeout=280) for process in (*workers, chief)]
    for process, (_, err) in zip((*workers, chief), outputs, strict=True):
        assert process.returncode == 0, err
    assert all("] score" in out for out, _ in outputs[:2]), "both have worked"
    said = outputs[2][0]
    assert "random" in said, "the chief has the table"
    assert "] goes to worker0\n" in said and "] goes to worker1\n" in said
    assert all(f"; {i} of " in said for i in range(3)), "and says how far the study is"
    assert ranking(tmp_path) == ranking(whole)


@pytest.mark.slow
def test_a_chief_that_is_not_there(command, select, tmp_path):
    arguments = (*select, f"--run_dir={tmp_path}", "--chief_patience=1")
    status, _, err = command.run(*arguments, **member("worker", free_port()))
    assert status == 2 and "cannot be reached" in err and "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("tuner", ["bayesian", pytest.param("hyperband", marks=pytest.mark.long)])
def test_black_box_search(uncounted, undrawn, tmp_path, tuner):
    trials = [] if tuner == "hyperband" else ["--trials=2"]
    status, _, err = in_process.run(
        in_process.MAIN,
        "--mode=black_box",
        "--dataset=pydoc",
        f"--tuner={tuner}",
        *trials,
        TRAIN.replace("epochs=2", "epochs=3" if trials == [] else "epochs=1"),
        f"--run_dir={tmp_path}",
        eagerly=True,
    )
    assert status == 0, err
    rows = ranking(tmp_path)["candidates"]
    assert {row["source"] for row in rows} == {tuner}
    assert len({row["cell"] for row in rows}) > 1
    if tuner == "hyperband":
        epochs = {row["name"]: row["settings"]["epochs"] for row in rows}
        assert set(epochs.values()) == {1, 3}
        for name, number in epochs.items():
            lines = (tmp_path / "candidates" / name / "train" / "history.jsonl").read_text()
            assert len(lines.splitlines()) == number


@pytest.mark.long
def test_tuning_a_search_and_its_training(tmp_path):
    status, _, err = in_process.run(
        in_process.MAIN,
        "--mode=tune",
        "--dataset=pydoc",
        "--tune=learning_rate=0.5:4:log,search.alpha_learning_rate=0.001:0.1:log,train.units=4:9",
        "--trials=2",
        SEARCH,
        TRAIN.replace(",learning_rate=1", "").replace("units=8,", ""),
        f"--run_dir={tmp_path}",
        eagerly=True,
    )
    assert status == 0, err
    for row in ranking(tmp_path)["candidates"]:
        runs = tmp_path / "candidates" / row["name"]
        for name, value in row["settings"].items():
            part, field = name.split(".")
            settings = json.loads((runs / part / "config.json").read_text())["settings"]
            assert settings[field] == value


@pytest.mark.slow
def test_no_candidate_survives(uncounted, undrawn, tmp_path):
    status, _, err = in_process.run(
        in_process.MAIN,
        "--mode=select",
        "--dataset=pydoc",
        "--candidates=random,darts_v2",
        "--count=1",
        TRAIN.replace(
            "learning_rate=1", "learning_rate=1e4,weight_decay=1e3,clip_norm=0,max_rollbacks=1"
        ),
        f"--run_dir={tmp_path}",
        eagerly=True,
    )
    assert status == 2 and "all 2 candidates failed" in err and "Traceback" not in err
    assert (pathlib.Path(tmp_path) / "ranking.md").exists()
    assert not (tmp_path / "genotype.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mode=select", "--dataset=ptbb"], "--dataset=ptbb: not known"),
        (
            ["--mode=select", "--dataset=pydoc", "--train_settings=epochs=0"],
            "--train_settings: --epochs=0: out of range",
        ),
        (["--mode=black_box", "--dataset=pydoc", "--tuner=grid"], "--tuner=grid: not known"),
        (
            ["--mode=select", "--dataset=text", "--data_dir=/nowhere", "--candidates=random"],
            "is not a directory",
        ),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, arguments, words):
    status, out, err = in_process.run(in_process.MAIN, *arguments, f"--run_dir={tmp_path / 'r'}")
    assert status == 2 and in_process.after_the_device(out) == ""
    assert words in in_process.sentence(err, "tf_darts")
    assert not (tmp_path / "r").exists(), "nothing is made before the input is known to be good"
