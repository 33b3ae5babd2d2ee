"""Small run directories, as the real runs leave them."""

import json
import pathlib

import pytest

from tf_darts.cells import genotype_files
from tf_darts.cells.genotype import RECURRENT_PRIMITIVES, RecurrentGenotype
from tf_darts.runtime.run_directory import RunDirectory


def cell(number):
    """A recurrent cell of two nodes, another for each of the first eight numbers."""
    operations = RECURRENT_PRIMITIVES[1:]
    edges = ((operations[number % 4], 0), (operations[number // 4 % 4], 1))
    return RecurrentGenotype(edges, (1, 2))


def _records(scores, seconds):
    return [
        {
            "epoch": i + 1,
            "seconds": seconds * (i + 1) / len(scores),
            "train_loss": 5.0,
            "train_perplexity": score + 20,
            "validation_loss": 5.0,
            "validation_perplexity": score,
            "genotype": cell(i).to_dict(),
        }
        for i, score in enumerate(scores)
    ]


def fingerprint(text):
    """What `data.json` says of a text."""

    def part(name, number):
        return {"number": number, "sha256": f"{text}, {name}"}

    return {"words": part("words", 36), "parts": {"training": part("t", 4000)}}


class Runs:
    """Makes runs in a directory."""

    def __init__(self, directory):
        self.directory = directory

    def _run(self, name, settings, scores, seconds, provenance):
        common = {"dataset": "ptb", "seed": 0, "epochs": len(scores), "units": 8}
        known = common | {"distribution": "one_device"} | settings
        run = RunDirectory(self.directory / name, {k: v for k, v in known.items() if k != "text"})
        if text := settings.get("text"):
            run.write_json("data.json", {"dataset": "ptb", "fingerprint": fingerprint(text)})
        run.write_history(_records(scores, seconds))
        found = cell(settings.get("seed", 0))
        if (given := pathlib.Path(provenance.get("given", ""))).is_file():
            found = genotype_files.load(given)
        genotype_files.save(run.path / "genotype.json", found, provenance)
        return run

    def search(self, name, scores=(300.0, 200.0), seconds=7200.0, **settings):
        settings = {"mode": "search", "hypergradient": "finite_difference"} | settings
        provenance = {"mode": "search", "hypergradient": settings["hypergradient"]}
        if "optimization" in settings:
            provenance["optimization"] = settings["optimization"]
        run = self._run(name, settings, scores, seconds, provenance)
        (run.path / "plots").mkdir()
        (run.path / "plots" / "cell.gif").write_bytes(b"GIF89a")
        run.close()
        return run.path

    def train(self, name, scores=(150.0, 140.0), seconds=3600.0, given="darts_v2", **settings):
        test, finished = settings.pop("test", None), settings.pop("finished", True)
        # A training of commit 517e77a says only what it was given.
        provenance = {"mode": "train", **settings.pop("found", {}), "given": str(given)}
        run = self._run(name, {"mode": "train"} | settings, scores, seconds, provenance)
        best = min(run.read_history(), key=lambda record: record["validation_perplexity"])
        if finished:
            run.write_json("result.json", {"checkpoint": "checkpoints/best", **best})
        run.write_json("counts.json", {"weights": 4_810_000, "multiply-adds a word": 4_500_000})
        if test is not None:
            run.write_json("test.json", {"epoch": 2, "scores": {"loss": 4.9, "perplexity": test}})
        run.close()
        return run.path

    def study(self, name, scores, failed=(), snapshots=True, **settings):
        """A selection whose candidates have the scores {source: [score of seed 0, …]}."""
        settings = {"mode": "select", "dataset": "ptb", "seed": 0, "train_settings": ""} | settings
        run = RunDirectory(self.directory / name, settings)
        candidates = []
        for source, values in scores.items():
            for seed, score in enumerate(values):
                candidates.append(candidate(source, seed, score, snapshots))
                home = f"{name}/candidates/{source}_seed{seed}"
                self.train(f"{home}/train", (score + 30, score), seed=seed, given="(a candidate)")
                if source != "random":
                    self.search(f"{home}/search", seed=seed, hypergradient=source)
        candidates.sort(key=lambda c: c["score"])
        for source in failed:
            nothing = {"score": None, "cell": "", "genotype": None, "counts": {}, "snapshots": []}
            reason = {"status": "failed", "reason": "It diverged | at step 3."}
            candidates.append(candidate(source, 99, 0.0, snapshots) | nothing | reason)
        ranking = {"score": "perplexity", "score_mode": "min", "dataset": "ptb"}
        run.write_json("ranking.json", ranking | {"candidates": candidates})
        run.close()
        return run.path


def candidate(source, seed, score, snapshots):
    """A completed candidate of a recurrent study's ranking."""
    found, searched = cell(seed), source != "random"
    points = [
        {"epoch": i + 1, "search_seconds": 3600.0 * (i + 1), "score": score + 20.0 - 10.0 * i}
        for i in range(3)
    ]
    return {
        "name": f"{source}_seed{seed}",
        "source": source,
        "seed": seed,
        "status": "completed",
        "reason": "",
        "score": score,
        "cell": str(found),
        "genotype": found.to_dict(),
        "space": found.space,
        "counts": {"weights": 4_810_000, "multiply-adds a word": 4_500_000},
        "search_seconds": 7200.0 if searched else 0.0,
        "training_seconds": 3600.0,
        "settings": {},
        "snapshots": points if searched and snapshots else [],
    }


@pytest.fixture
def runs(tmp_path):
    """Makes run directories below `tmp_path`."""
    return Runs(tmp_path)


@pytest.fixture
def rewrite():
    """A function that changes a JSON file by a function of its document."""

    def change(file, function):
        document = json.loads(file.read_text(encoding="utf-8"))
        function(document)
        file.write_text(json.dumps(document), encoding="utf-8")

    return change
