"""Records of experiments/results/, and the tables that are made of them."""

import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from absl import app, flags
from PIL import Image
from scipy import stats

from tests.support import in_process, toy_table
from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tf_darts.benchmarks import NasBench201
from tf_darts.bilevel.epoch_rules import SearchProbe
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.space import find_space
from tf_darts.config.presets import configure
from tf_darts.errors import UserError


def module(name):
    """A program of experiments/; its flags are forgotten, since others have some of that name."""
    known = set(flags.FLAGS)
    spec = importlib.util.spec_from_file_location(name, ROOT / "experiments" / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    for flag in set(flags.FLAGS) - known:
        delattr(flags.FLAGS, flag)
    return loaded


@pytest.fixture(scope="module")
def tool():
    return module("leaderboard")


def test_the_table_of_methods_has_what_was_recorded(tool):
    text, runs = tool.METHODS.read_text(), json.loads(json.dumps(tool.read()))
    assert tool.methods(text, runs) == text, "run experiments/write_results.py"
    for run in runs:
        if run["method"] == runs[0]["method"]:
            run["result"]["scores"][0]["value"] = 12.25
    changed = [line for line in tool.methods(text, runs).splitlines() if "12.25" in line]
    assert len(changed) == 1 and changed[0].startswith(f"| `{runs[0]['method']}` |")


def test_another_record_is_another_table(tool):
    runs = json.loads(json.dumps(tool.read()))
    runs[0]["result"]["scores"][0]["value"] += 1.0
    before, after = tool.tables(tool.read()), tool.tables(runs)
    assert [name for name in before if before[name] == after[name]] == []


def test_what_was_published_stands_beside_ours(tool):
    runs = [run for run in tool.read() if run["method"] in ("gdas", "darts_first", "sgas")]
    wanted = {"gdas": ("93.61 ± .09", 93.61), "darts_first": ("54.30", 54.3)}  # of SGAS none is
    rows = tool.published(tool.METHODS.read_text(), runs)
    assert [row["method"] for row in rows] == ["`darts_first`", "`gdas`"]
    for row in rows:
        name = row["method"].strip("`")
        scores = [r["result"]["scores"][0]["value"] for r in runs if r["method"] == name]
        assert row["published"] == wanted[name][0]
        assert float(row["difference"]) == pytest.approx(
            np.mean(scores) - wanted[name][1], abs=6e-3
        )


def test_an_animation_of_two_searches(tool):
    made = module("collapse_animation")
    for run in tool.read():
        assert {str(made.cell_of(epoch["cell"])) for epoch in run["epochs"]} == {
            epoch["cell"] for epoch in run["epochs"]
        }
    runs = made.chosen(["darts_first:2", "beta_darts:2"])
    short = [run | {"epochs": run["epochs"][:2]} for run in runs]
    first, second = made.frames(short)
    assert first.size == second.size and first.tobytes() != second.tobytes()
    with Image.open(made.FILE) as picture:
        assert picture.n_frames == len(runs[0]["epochs"])
    with pytest.raises(app.UsageError, match="darts_first:9 is not one of beta_darts:0, "):
        made.chosen(["darts_first:9"])


def test_records_are_of_one_protocol(tool):
    """All runs had the same settings, but for those of their methods; stages share the steps."""
    names = "dataset", "space", "batch_size", "channels", "image_size"
    names += "train_portion", "train_examples", "weight_learning_rate"
    of_all = "epochs", "cells_per_stage"
    runs = tool.read()
    for run in runs:
        staged = run["settings"].get("stage_settings")
        for name in names if staged else names + of_all:
            assert run["settings"][name] == runs[0]["settings"][name], run["method"]
        assert [epoch["epoch"] for epoch in run["epochs"]] == list(range(1, len(run["epochs"]) + 1))
        assert [epoch["step"] for epoch in run["epochs"]] == [
            390 * epoch["epoch"] for epoch in run["epochs"]
        ]
        if staged:
            assert staged.startswith("cells_per_stage:1/")
            assert len(run["epochs"]) == 3 * run["settings"]["epochs"] == 51
        stages = "stage_operations", "stage_settings"  # as 3/2
        others = {name: value for name, value in run["settings"].items() if name not in stages}
        assert not [value for value in others.values() if "/" in str(value)], "a path"


def test_epochs_and_steps_of_stages_are_counted_on():
    recorder = module("record_run")
    stages = [[{"epoch": e, "step": 3 * e, "seconds": 9.0} for e in (1, 2)] for _ in range(3)]
    history = recorder._one_after_the_other(stages)
    assert [line["epoch"] for line in history] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in history] == [3, 6, 9, 12, 15, 18]
    assert {line["seconds"] for line in history} == {9.0}, "the product counts them on itself"


def test_a_record_names_no_folder_of_the_machine():
    portable = module("record_run")._portable
    assert portable("/home/me/tables/nasbench201.csv") == "nasbench201.csv"
    assert [portable(value) for value in ("3/2", "softmax", 0.1, None)] == [
        "3/2",
        "softmax",
        0.1,
        None,
    ]


def test_pairs_are_of_equal_seeds(tool):
    """Worked out by hand: differences 1, 2, 3, of whose 8 signs two are so large."""

    def run(seed, value):
        return {"seed": seed, "result": {"scores": [{"score": "cifar10", "value": value}]}}

    reference = [run(seed, 90.0 + seed) for seed in (2, 0, 1, 7)]
    runs = [run(seed, 91.0 + 2 * seed) for seed in (0, 1, 2)]
    assert tool._paired(runs, reference) == "0.25 (3)"
    assert tool._paired(reference, reference) == ""


@pytest.fixture(scope="module")
def controls():
    return module("controls")


def test_every_recorded_control_is_a_planned_one(controls):
    """So the flags in the document are those of the runs; no seed is there twice."""
    keys = [controls.key(space, own, seed) for space, own, seed in controls.planned()]
    assert len(set(keys)) == len(keys)
    lines = controls.RECORDS.read_text().splitlines()
    assert len(controls.read()) == len(lines) and set(controls.read()) <= set(keys)


def test_another_control_is_another_table(controls, monkeypatch, tmp_path):
    lines = re.sub('"right": .', '"right": 1', controls.RECORDS.read_text())
    (tmp_path / "lines").write_text(lines)
    before, read = controls.tables(), controls.read
    monkeypatch.setattr(controls, "read", lambda: read(tmp_path / "lines"))
    after = controls.tables()
    assert len(before["controls"]) == len(after["controls"])
    assert before["controls"] != after["controls"] and before["guards"] == after["guards"]


def test_wrong_edges_and_pairs_by_hand(controls):
    cell = "normal skip_connect:0 sep_conv_3x3:1 | skip_connect:1 / reduce skip_connect:0"
    line = {"settings": {"operations": "s2"}, "result": {"cell": cell}}
    assert controls.wrong(line) == (3, 2)
    # Differences -1, -2, -3: two of eight signs are as far from 0; -1, 1, 0: all are.
    assert controls._paired([(1, 2), (0, 2), (1, 4)]) == "-2.0 (p = 0.25)"
    assert controls._paired([(1, 2), (2, 1), (3, 3)]) == "+0.0 (p = 1)"


@pytest.fixture(scope="module")
def studies():
    return module("studies")


@pytest.mark.parametrize(("name", "score"), [("texts", 125.25), ("images", 61.25)])
def test_the_tables_of_studies(studies, name, score):
    def other(file):
        return [found("random", 0, score)] if file == studies.STUDIES[name].lines else []

    tables = studies.tables(other)
    assert {kind: len(rows) for kind, rows in tables.items() if rows} == {name: 1}
    assert f"{score:.2f}" in tables[name][0].values()


def found(source, seed, score, entropies=(), **seconds):
    seconds = {"search_seconds": 0.0, "training_seconds": 120.0} | seconds
    epochs = [{"entropy": entropy} for entropy in entropies]
    return {"source": source, "seed": seed, "score": score, "epochs": epochs, **seconds}


def test_the_table_of_a_study_by_hand(studies):
    lines = [
        *(found("random", seed, score) for seed, score in enumerate([100.0, 110.0])),
        found("darts", 0, 120.0, (1.6, 1.5), search_seconds=600.0),
        found("darts", 1, 130.0, (1.6, 1.3), search_seconds=1200.0),
    ]
    random, searched = studies.table(lines, studies.STUDIES["texts"])
    assert random["by seed"] == "100.0, 110.0" and random["from random"] == ""
    assert searched["validation perplexity"] == "125.00 ± 7.07"
    # Two of the six ways to share four scores out in pairs have so large a difference.
    assert (searched["from random"], searched["p (permutation)"]) == ("+20.0", "0.33")
    assert (searched["entropy of α"], searched["search, minutes"]) == ("1.40", "15")
    best, second = studies.table(lines, studies.STUDIES["images"])
    assert (best["cells"], second["validation accuracy, %"]) == ("`darts`", "105.00 ± 7.07")


def test_the_lines_of_a_study(studies, tmp_path):
    row = {
        "name": "darts_seed0",
        "source": "darts",
        "seed": 0,
        "score": 120.0,
        "status": "completed",
    }
    row |= {"genotype": {}, "search_seconds": 1.0, "training_seconds": 2.0}
    row |= {"counts": {"weights": 1234, "multiply-adds a word": 5}}
    failed = {"name": "darts_seed1", "status": "failed"}
    given = row | {"name": "darts_v2", "source": "given", "seed": None}
    (tmp_path / "ranking.json").write_text(json.dumps({"candidates": [row, failed, given]}))
    search = tmp_path / "candidates" / "darts_seed0" / "search"
    search.mkdir(parents=True)
    history = {"entropy": 1.60944, "cell": "tanh:0", "train_accuracy": 1, "train_perplexity": 2.0}
    (search / "history.jsonl").write_text(json.dumps(history) + "\n")
    line, named = studies.candidates(tmp_path, studies.STUDIES["texts"])
    assert (line["score"], line["weights"]) == (120.0, 1234)
    assert named["source"] == "darts_v2"
    (shown, _) = studies.table([line, named], studies.STUDIES["texts"])
    assert shown["weights"] == "1,234"
    assert line["epochs"] == [{"train_perplexity": 2.0, "entropy": 1.6094}]


def test_lines_take_the_places_of_their_like(studies, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "RESULTS", tmp_path)
    first = [found("random", 1, 9.0), found("darts", 0, 8.0)]
    studies.record("lines.jsonl", first, ("source", "seed"))
    again = found("random", 1, 9.0) | {"search_seconds": 5.0}
    studies.record("lines.jsonl", [again], ("source", "seed"))
    lines = studies.read("lines.jsonl")
    assert [(line["source"], line["score"]) for line in lines] == [("darts", 8.0), ("random", 9.0)]
    assert lines[1]["search_seconds"] == 5.0
    with pytest.raises(UserError, match="has other scores of"):
        studies.record("lines.jsonl", [found("random", 1, 7.0)], ("source", "seed"))
    assert studies.read("lines.jsonl") == lines


@pytest.mark.slow
def test_a_tested_training_is_a_line(uncounted, studies, tmp_path):
    small = "--dataset=digits --channels=2 --layers=3 --epochs=1 --batch_size=64"
    files = f"--run_dir={tmp_path / 'v2'}"
    for arguments in (f"--mode=train --genotype=darts_v2 {small}", "--mode=test"):
        if (tmp_path / "v2").exists():
            with pytest.raises(UserError, match="has not been tested"):
                studies.tested(tmp_path / "v2")
        done = in_process.run(in_process.MAIN, *arguments.split(), files, eagerly=True)
        assert done[0] == 0, done[2]
    line = studies.tested(tmp_path / "v2")
    assert (line["settings"], line["epochs"]) == ({"channels": 2, "layers": 3}, 1)
    test = json.loads((tmp_path / "v2" / "test.json").read_text())["scores"]["accuracy"]
    (row,) = studies.tested_table([line])
    assert (row["training"], row["test accuracy, %"]) == ("`v2`", f"{test:.2f}")
    counts = json.loads((tmp_path / "v2" / "counts.json").read_text())
    assert row["weights"] == f"{counts['weights']:,}"
    assert row["multiply-adds, million"] == f"{counts['multiply-adds an image'] / 1e6:.1f}"
    candidate = tmp_path / "darts_v2" / "train"
    candidate.parent.mkdir()
    (tmp_path / "v2").rename(candidate)
    assert studies.tested(candidate)["name"] == "darts_v2", "a study's candidate has its name"


def test_another_estimate_is_another_table():
    tool = module("estimate_curves")
    searches = tool.read()
    before = tool.tables(searches)
    searches[0]["epochs"][0]["batches"][0]["first_order"]["cosine"] -= 0.5
    assert tool.tables(searches) != before


def test_estimates_by_hand():
    """Two pairs of batches, in one of which finite differences are nearer than first order."""

    def batch(*errors):
        names = "first_order", "finite_difference"
        return {n: {"cosine": 1 - e, "error": e} for n, e in zip(names, errors, strict=True)}

    epoch = {"epoch": 1, "batches": [batch(0.25, 0.125), batch(0.25, 0.375)]}
    (first, difference) = module("estimate_curves").table(
        [{"method": "darts", "seed": 0, "epochs": [epoch]}]
    )
    assert (first["epoch 1"], first["least"], first["error"]) == ("0.750", "0.750", "0.250")
    assert (difference["nearer"], difference["least"]) == ("1 of 2", "0.625")


@pytest.mark.long
def test_estimates_are_compared_along_a_search(tmp_path):
    program = ["tests/support/eagerly.py", "experiments/compare_estimates.py"]
    small = "--space=nasbench201 --channels=2 --cells_per_stage=1 --batch_size=8 --epochs=1"
    small += " --dataset=digits --train_examples=64 --steps_per_epoch=2 --batches=2 --radii=0.1"
    arguments = ["--mode=search", "--method=darts_first", *small.split()]
    files = [f"--run_dir={tmp_path / 'run'}", f"--output={tmp_path / 'out.jsonl'}"]
    done = subprocess.run(
        [sys.executable, *program, *arguments, *files], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (line,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (line["method"], line["seed"], len(line["cells"])) == ("darts_first", 0, 1)
    ((first, second),) = [epoch["batches"] for epoch in line["epochs"]]
    assert first.keys() == {"first_order", "finite_difference", "exact", "finite_difference 0.1"}
    assert first["exact"]["norm"] != second["exact"]["norm"], "another pair of batches"
    for found in (first, second):
        np.testing.assert_allclose(found["exact"]["cosine"], 1.0, rtol=1e-9)
        assert found["exact"]["error"] == 0.0
        assert found["finite_difference 0.1"]["error"] < found["first_order"]["error"]
        assert found["first_order"]["cosine"] != found["finite_difference"]["cosine"]


@pytest.fixture
def shared_weights(monkeypatch):
    forget_members(monkeypatch)
    return module("shared_weights")


def test_what_shared_weights_know_is_a_table(shared_weights):
    runs = shared_weights.read()
    before = shared_weights.tables(runs)
    runs[0]["epochs"][9]["monitors"]["shared/rank_correlation"] -= 0.5
    assert shared_weights.tables(runs) != before
    short = [
        runs[0] | {"epochs": runs[0]["epochs"][:5]},
        runs[0] | {"epochs": runs[0]["epochs"][:25]},
    ]
    assert [
        set(row) & {"epoch 10", "epoch 20", "epoch 30"} for row in shared_weights.table(short)
    ] == [{"epoch 10", "epoch 20"}]


@pytest.mark.parametrize(("sign", "below"), [(1, 100.0), (-1, 0.0)])
def test_weights_that_know_the_table_rank_as_it_does(shared_weights, tmp_path, sign, below):
    file = toy_table.write(tmp_path / "toy.csv")
    table, asked = NasBench201(file), []
    genotype, topology = genotype_class("nasbench201"), find_space("nasbench201").topologies["cell"]

    def worth(mixing, batches):
        edges = derive(mixing, {"cell": topology})
        asked.append((table.text_of(genotype.from_cells(edges)), batches))
        return sign * table.query(asked[-1][0])["cifar10"]

    nothing = [[("none", source) for source in range(node + 1)] for node in range(3)]
    probe = SearchProbe({"cell": topology}, 10, 50, {}, {"cell": nothing}, None, None, 30)
    rule = shared_weights.SharedWeights(known_table=str(file), known_cells=20, known_batches=3)
    found = rule.measure(probe._replace(worth=worth))
    assert found["shared/rank_correlation"] == pytest.approx(sign)
    assert found["shared/all_3x3"] == below
    assert asked[-2:] == [(table.text_of("all_3x3"), 3), (table.text_of("all_none"), 3)]
    assert len(set(asked)) == 22, "the cells differ"
    assert rule.measure(probe._replace(epoch=11)) == {}


def test_what_cannot_be_ranked_is_said_at_once(shared_weights):
    asked = {"mode": "search", "dataset": "cifar10", "rules": "shared_weights"}
    for settings, words in (
        ({}, "ranks cells of NAS-Bench-201"),
        ({"space": "nasbench201"}, "needs --known_table=FILE.csv"),
    ):
        with pytest.raises(UserError, match=words):
            configure(asked | settings)
    probe = SearchProbe({}, 1, 50, {}, {}, None, None, 30)
    with pytest.raises(UserError, match=r"none\.csv: cannot be read"):
        shared_weights.SharedWeights(known_table="none.csv").measure(probe)


def test_rank_correlations_are_scipy_s(shared_weights):
    first, second = np.random.default_rng(0).integers(0, 9, [2, 30])  # with ties
    wanted = stats.spearmanr(first, second).statistic
    np.testing.assert_allclose(shared_weights.rank_correlation(first, second), wanted, rtol=1e-12)
