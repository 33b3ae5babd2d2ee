"""What keras-tuner's tuners reach in so many queries of a table: --mode=black_box, many times.

  python experiments/query_tuners.py --table=nasbench201.csv
  python experiments/query_tuners.py --table=nasbench201.csv --output=results/tuners.jsonl

Each query is a lookup. A tuner's choice after n queries is the cell of the largest score so far, as
in a study's genotype.json; printed is this cell's score after all epochs, mean ± standard deviation
over seeds, beside the exact expectation of the best of n random cells. Hyperband's queries for few
epochs count as one each. No files of keras-tuner's are kept.

Bayesian search takes hours: with --output each search is a line of that file as soon as it is done,
and a search that has a line of as many queries is not made again.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import pathlib
import sys
import tempfile
import time
import warnings
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import numpy as np
import records
from absl import flags

from tf_darts.cli import program
from tf_darts.config.presets import configure
from tf_darts.config.study import TUNERS
from tf_darts.report.statistics import summarise
from tf_darts.report.tables import plain_table
from tf_darts.runtime.signals import StopRequest
from tf_darts.study.looked_up import TableScores
from tf_darts.study.plan import plan

_TABLE = flags.DEFINE_string("table", None, "A CSV file, as for --mode=black_box.", required=True)
_TABLE_SCORE = flags.DEFINE_string("table_score", "cifar10", "Its column.")
_TUNERS = flags.DEFINE_list("tuners", list(TUNERS), "keras-tuner's.")
_SEEDS = flags.DEFINE_integer("seeds", 20, "How many searches of each.")
_QUERIES = flags.DEFINE_list("queries", ["50", "100", "300"], "After so many it is asked.")
_OUTPUT = flags.DEFINE_string("output", None, "A file of lines, one for each search.")


def search(tuner: str, seed: int, queries: int) -> dict[str, Any]:
    """A tuner's choices: the full score of its best cell after each query, until it ends.

    Args:
      tuner: keras-tuner's name of it.
      seed: of its draws.
      queries: at most.

    Returns:
      {"tuner", "score", "seed", "queries", "reached": [%, …], "seconds"} (of a processor).
    """
    start = time.process_time()
    asked = {"mode": "black_box", "dataset": "cifar10", "space": "nasbench201", "tuner": tuner}
    asked |= {} if tuner == "hyperband" else {"trials": queries}
    asked |= {"seed": seed, "table": _TABLE.value, "table_score": _TABLE_SCORE.value}
    config = configure(asked)
    planned = plan(config)
    lookup = TableScores(config, planned.example.training)
    oracle = planned.oracle("max")
    oracle.verbose, oracle.save, oracle._save_trial = 0, lambda: None, lambda trial: None
    best, found = (-np.inf, None), []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of a fit that has not converged
        oracle._set_project_dir(folder, "tuner")
        while len(found) < queries:
            trial = oracle.create_trial("one")
            if trial.status == "STOPPED":
                break
            candidate = planned.make_candidate(trial)
            scored = lookup(candidate.training, candidate.cell, StopRequest(), "")
            oracle.update_trial(trial.trial_id, {"score": scored.score})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
            best = max(best, (scored.score, scored.table[_TABLE_SCORE.value]))
            found.append(best[1])
    seconds = round(time.process_time() - start, 1)
    names = {"tuner": tuner, "score": _TABLE_SCORE.value, "seed": seed, "queries": queries}
    return names | {"reached": found, "seconds": seconds}


def recorded() -> list[dict[str, Any]]:
    """The searches of --output."""
    return records.read(pathlib.Path(_OUTPUT.value)) if _OUTPUT.value else []


def known(tuner: str, seed: int, queries: int) -> dict[str, Any] | None:
    """A search of as many queries or more, from --output."""
    wanted = (tuner, _TABLE_SCORE.value, seed)
    same = [line for line in recorded() if (line["tuner"], line["score"], line["seed"]) == wanted]
    return next((line for line in same if line["queries"] >= queries), None)


def record(line: dict[str, Any]) -> None:
    """Writes a search into --output, in the place of a shorter one."""
    records.add(pathlib.Path(_OUTPUT.value), [line], lambda x: (x["tuner"], x["score"], x["seed"]))


def main(arguments: list[str]) -> None:
    """Prints a row for each tuner."""
    del arguments
    queries = sorted(map(int, _QUERIES.value))
    config = configure(
        {
            "mode": "black_box",
            "dataset": "cifar10",
            "space": "nasbench201",
            "table": _TABLE.value,
            "table_score": _TABLE_SCORE.value,
        }
    )
    null = TableScores(config, plan(config).example.training).table.null(_TABLE_SCORE.value)
    rows = [{"tuner": "random, exactly"}]
    for n in queries:
        mean, deviation = null.best_of(n, replacement=False)
        rows[0][f"{n} queries"] = f"{mean:.2f} ± {deviation:.2f}"
    for tuner in _TUNERS.value:
        searches = []
        for seed in range(_SEEDS.value):
            line = known(tuner, seed, queries[-1])
            if line is None:
                line = search(tuner, seed, queries[-1])
                if _OUTPUT.value:
                    record(line)
            searches.append(line)
            shown = {n: line["reached"][:n][-1] for n in queries}
            print(f"{tuner}, seed {seed}: {shown}", file=sys.stderr, flush=True)
        row = {"tuner": tuner}
        for n in queries:
            scores = [line["reached"][:n][-1] for line in searches]
            ends = max(len(line["reached"]) for line in searches)
            ended = f" (ends at {ends})" if ends < n else ""
            row[f"{n} queries"] = f"{summarise(scores, 'max')}{ended}"
        row["CPU seconds"] = f"{sum(line['seconds'] for line in searches) / len(searches):.1f}"
        rows.append(row)
    print(plain_table(rows))


if __name__ == "__main__":
    program.run(main, "query_tuners")
