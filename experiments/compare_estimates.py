"""How near first order and finite differences come to the exact hypergradient, along a search.

  python experiments/compare_estimates.py --flagfile=flags/search_nasbench201_small.flags \
    --method=darts_first --seed=0 --run_dir=runs/compared_0 \
    --output=experiments/results/estimates

The search is the product's own, and the same one as without this program: the estimates are taken
at the end of each epoch, at its w, α and velocity, on some batches of the first epoch, with the
same masks, and nothing is moved. Of a killed search the same command goes on. Of a finished one,
when it is asked again, it writes the line of the output again.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import dataclasses
import itertools
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import keras
import numpy as np
import records
import tensorflow as tf
from absl import flags, logging

from tf_darts.bilevel.engine import SearchEngine
from tf_darts.bilevel.step import ALPHA_STEP, BilevelStep
from tf_darts.cli import flags as command_line
from tf_darts.cli import program
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.runs import search
from tf_darts.runtime import files
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.seeds import step_seed
from tf_darts.runtime.signals import graceful_stop

_OUTPUT = flags.DEFINE_string("output", None, "The file of lines, one a search.", required=True)
_BATCHES = flags.DEFINE_integer("batches", 4, "Pairs of batches at each epoch.", lower_bound=1)
_RADII = flags.DEFINE_list("radii", ["1", "0.1", "0.001"], "Finite differences with these, too.")


def estimates(step: BilevelStep, batch: Any, number: int) -> dict[str, np.ndarray]:
    """The hypergradient by each estimate, float64 and flat; the step moves nothing.

    Args:
      step: of a search.
      batch: a `SearchBatch`.
      number: of the batch, which decides its masks.

    Returns:
      A vector for each of the three estimates, and `finite_difference RADIUS` for other radii.
    """
    config, found = step.config, {}
    seed = step_seed(config.seed, tf.constant(number), tf.constant(-2))
    seeds = tf.random.experimental.stateless_split(seed, 4)
    batches = tf.nest.map_structure(
        tf.convert_to_tensor, {"train": batch.train, "validation": batch.validation}
    )
    states = dict.fromkeys(batches, step.supernet.initial_state(config.batch_size))
    rate = tf.constant(config.weight_learning_rate, keras.config.floatx())
    moment = step.mixture.moment(seeds, ALPHA_STEP)
    kinds: dict[str, dict[str, Any]] = {name: {"hypergradient": name} for name in HYPERGRADIENTS}
    for radius in _RADII.value:
        of_radius = {"finite_difference_radius": float(radius)}
        kinds[f"finite_difference {radius}"] = kinds["finite_difference"] | of_radius
    for name, settings in kinds.items():
        step.config = dataclasses.replace(config, **settings)
        try:
            gradient = step._hypergradient(batches, states, rate, seeds, moment).gradient
        finally:
            step.config = config
        parts = [np.ravel(part) for part in tf.nest.flatten(gradient)]
        found[name] = np.concatenate(parts).astype(np.float64)
    return found


def compared(found: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Of each estimate its norm, and cosine and relative error against the exact one."""
    exact = found["exact"]
    norm = float(np.linalg.norm(exact))
    return {
        name: {
            "norm": float(np.linalg.norm(estimate)),
            "cosine": float(estimate @ exact / (np.linalg.norm(estimate) * norm)),
            "error": float(np.linalg.norm(estimate - exact)) / norm,
        }
        for name, estimate in found.items()
    }


class Comparison(Callback):
    """Writes `estimates.jsonl` into the run directory, a line for each epoch."""

    engine: SearchEngine | None = None

    def on_run(self, activity: str, path: pathlib.Path) -> None:
        self._file = path / "estimates.jsonl"

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        step, data = self.engine._step, self.engine._data
        pairs = itertools.islice(data.epoch(0), _BATCHES.value)
        rows = [compared(estimates(step, batch, number)) for number, batch in enumerate(pairs)]
        line = {"epoch": record["epoch"], "batches": rows}
        earlier = [old for old in records.read(self._file) if old["epoch"] < record["epoch"]]
        texts = (json.dumps(each) + "\n" for each in (*earlier, line))
        files.write_atomically(self._file, "".join(texts))


def main(arguments: list[str]) -> None:
    """Searches, and adds the run's line to the output."""
    del arguments
    logging.set_verbosity(logging.WARNING)  # as the program itself does
    config, watch = command_line.config_from_flags(), Comparison()

    class Watched(SearchEngine):
        """The search's own loop, which is shown to the callback."""

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            watch.engine = self

    with graceful_stop() as stop, mock.patch.object(search, "SearchEngine", Watched):
        run = search.run_search(config, stop, callbacks=[watch])
    line = {
        "method": config.label,
        "seed": config.seed,
        "cells": [record["cell"] for record in run.history],
        "epochs": records.read(run.path / "estimates.jsonl"),
    }
    records.add(pathlib.Path(_OUTPUT.value), [line], lambda line: (line["method"], line["seed"]))


if __name__ == "__main__":
    command_line.define_flags()
    program.run(main, "compare_estimates")
