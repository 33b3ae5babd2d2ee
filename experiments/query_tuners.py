"""What keras-tuner's tuners reach in so many queries of a table: --mode=black_box, many times.

  python experiments/query_tuners.py --table=nasbench201.csv

Each query is a lookup. A tuner's choice after n queries is the cell of the largest score so far, as
in a study's genotype.json; printed is this cell's score after all epochs, mean ± standard deviation
over seeds, beside the exact expectation of the best of n random cells. Hyperband's queries for few
epochs count as one each. No files of keras-tuner's are kept.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import pathlib
import sys
import tempfile
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import numpy as np
from absl import app, flags

from tf_darts.config.presets import configure
from tf_darts.config.study import TUNERS
from tf_darts.report.statistics import summarise
from tf_darts.report.tables import plain_table
from tf_darts.runtime.signals import StopRequest
from tf_darts.study.looked_up import TableScores
from tf_darts.study.plan import plan

_TABLE = flags.DEFINE_string("table", None, "A CSV file, as for --mode=black_box.", required=True)
_SCORE = flags.DEFINE_string("table_score", "cifar10", "Its column.")
_TUNERS = flags.DEFINE_list("tuners", list(TUNERS), "keras-tuner's.")
_SEEDS = flags.DEFINE_integer("seeds", 20, "How many searches of each.")
_QUERIES = flags.DEFINE_list("queries", ["50", "100", "300"], "After so many it is asked.")


def reached(tuner: str, seed: int, queries: list[int]) -> list[tuple[int, float]]:
    """A tuner's choice after each number of queries, or where it ends: that number, its full score.

    Args:
      tuner: keras-tuner's name of it.
      seed: of its draws.
      queries: ascending.
    """
    asked = {"mode": "black_box", "dataset": "cifar10", "space": "nasbench201", "tuner": tuner}
    asked |= {} if tuner == "hyperband" else {"trials": queries[-1]}
    asked |= {"seed": seed, "table": _TABLE.value, "table_score": _SCORE.value}
    config = configure(asked)
    planned = plan(config)
    lookup = TableScores(config, planned.example.training)
    oracle = planned.oracle("max")
    oracle.verbose, oracle.save, oracle._save_trial = 0, lambda: None, lambda trial: None
    best, found = (-np.inf, None), []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of a fit that has not converged
        oracle._set_project_dir(folder, "tuner")
        while len(found) < queries[-1]:
            trial = oracle.create_trial("one")
            if trial.status == "STOPPED":
                break
            candidate = planned.make_candidate(trial)
            scored = lookup(candidate.training, candidate.cell, StopRequest(), "")
            oracle.update_trial(trial.trial_id, {"score": scored.score})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
            best = max(best, (scored.score, scored.table[_SCORE.value]))
            found.append(best[1])
    counts = [min(n, len(found)) for n in queries]
    return [(n, found[n - 1]) for n in counts]


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
            "table_score": _SCORE.value,
        }
    )
    null = TableScores(config, plan(config).example.training).table.null(_SCORE.value)
    rows = [{"tuner": "random, exactly"}]
    for n in queries:
        mean, deviation = null.best_of(n, replacement=False)
        rows[0][f"{n} queries"] = f"{mean:.2f} ± {deviation:.2f}"
    for tuner in _TUNERS.value:
        start, searches = time.process_time(), []
        for seed in range(_SEEDS.value):
            searches.append(reached(tuner, seed, queries))
            print(f"{tuner}, seed {seed}: {searches[-1]}", file=sys.stderr, flush=True)
        row = {"tuner": tuner}
        for n, scores in zip(queries, zip(*searches, strict=True), strict=True):
            ended = "" if scores[0][0] == n else f" (ends at {scores[0][0]})"
            row[f"{n} queries"] = f"{summarise([score for _, score in scores], 'max')}{ended}"
        row["CPU seconds"] = f"{(time.process_time() - start) / _SEEDS.value:.1f}"
        rows.append(row)
    print(plain_table(rows))


if __name__ == "__main__":
    app.run(main)
