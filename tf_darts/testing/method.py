"""Whether a composition is a search method: whole tiny searches, killed at every step."""

import dataclasses
import pathlib
import tempfile
from typing import Any

import numpy as np

from tf_darts.bilevel.engine import SearchEngine
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.search_rules import SearchRules
from tf_darts.cells.space import find_space
from tf_darts.config import methods
from tf_darts.config.data_searches import ImageSearchConfig
from tf_darts.config.search import SearchConfig
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.testing import edge_options, parts, rules
from tf_darts.testing.comparison import expect
from tf_darts.testing.toy_search import ToyImages, ToyNumbers, ToySupernet, toy_image_supernet

_CHECKS = {
    "relaxation": parts.check_relaxation,
    "alpha_terms": parts.check_alpha_term,
    "rules": rules.check_rule,
    "derivation": rules.check_derivation,
    "edge_options": edge_options.check_edge_option,
}


def _steps(config: SearchConfig) -> int:
    """How many steps an epoch has: fewer where each search compiles a cell."""
    return 2 if isinstance(config, ImageSearchConfig) else 3


def check_method(name: str, **settings: Any) -> None:
    """Tries a method: its parts, and a search in a toy space that is killed at every step.

    Checked are each part by itself; that the search ends; and that one which is killed after any
    step and goes on has the same bits of α, w and records in the end as one that was not. The toy
    space is a number that is fitted; where options change the edges, a cell of NAS-Bench-201.

    Args:
      name: of the method.
      settings: of its search, where others than the usual ones are wanted: fewer warm-up epochs.

    Raises:
      AssertionError: one sentence that names the method and what failed.
    """
    config = toy_config(name, **settings)
    supernet = (
        toy_image_supernet(config) if isinstance(config, ImageSearchConfig) else ToySupernet()
    )
    said = SearchRules(config, SearchFacts.of(supernet, config)).directions([]).numbers
    for kind in methods.KINDS:
        for part in config.make_parts(kind):
            if kind in ("rules", "derivation"):
                _CHECKS[kind](part)
            else:
                _CHECKS[kind](part, said)
            if kind == "alpha_terms":
                rules.check_rule(part)
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder)
        expected = _search(directory / "whole", config)
        steps = len(expected[2]) * _steps(config)
        for step in range(1, steps):
            path = directory / f"killed_{step}"
            try:
                _search(path, config, _KillsAt(step))
            except _Killed:
                pass
            else:
                raise AssertionError(f"{name}: took no step {step}, and has {steps} in all.")
            resumed = _search(path, config)
            for what, mine, uninterrupted in zip(
                ("alphas", "weights", "records"), resumed, expected, strict=True
            ):
                expect(
                    _same(mine, uninterrupted),
                    f"{name}: killed after step {step} and resumed, its {what} are others than"
                    " those of a search that was not.",
                )


def toy_config(method: str, **settings: Any) -> SearchConfig:
    """The settings of a toy search of two epochs by a method; raises `UserError`."""
    names = settings.get("edge_options", ",".join(methods.find_method(method).edge_options))
    images = any(part.wraps() for part in methods.find_parts("edge_options", names))
    space = find_space("nasbench201" if images else "recurrent")
    toy = dataclasses.replace(
        space.search if images else SearchConfig(space="recurrent"),
        dataset="digits" if images else "ptb",
        epochs=2,
        batch_size=4,
        weight_learning_rate=0.01,
        final_weight_learning_rate=0.001,
        momentum=0.9,
        alpha_learning_rate=0.1,
        checkpoint_steps=1 if images else 2,
        run_dir="given",
        **({"channels": 4, "operations": "skip_connect,nor_conv_3x3"} if images else {}),
    )
    # Compiling what measures the gap would take as long as all else, and changes nothing.
    settings = {"gap_epochs": 0} | settings
    composed = toy.composed({"method": method, **settings})
    return dataclasses.replace(composed, **settings).validated(settings, composed)


class _Killed(BaseException):
    """Stands for kill -9: nobody catches it, nothing is saved."""


class _KillsAt(Callback):
    def __init__(self, step: int) -> None:
        self._step = step

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        del metrics
        if step == self._step:
            raise _Killed


def _search(
    path: pathlib.Path, config: SearchConfig, *callbacks: Callback
) -> tuple[dict[str, np.ndarray], list[np.ndarray], list[dict[str, Any]]]:
    """The architecture parameters, weights and records in the end."""
    run = RunDirectory(path, {})
    try:
        step = methods.find_method(config.method).step_class
        images = isinstance(config, ImageSearchConfig)
        data = (ToyImages if images else ToyNumbers)(steps=_steps(config))
        supernet = toy_image_supernet(config) if images else ToySupernet()
        engine = SearchEngine(config, supernet, data, run, callbacks, make_step=step)
        history = engine.search(StopRequest())
        alphas = {name: value.numpy() for name, value in engine.alphas.items()}
        weights = [weight.numpy() for weight in engine.supernet.weights]
    finally:
        run.close()
    records = [{k: v for k, v in record.items() if k != "seconds"} for record in history]
    return alphas, weights, records


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, dict) and first and isinstance(next(iter(first.values())), np.ndarray):
        return all(np.array_equal(first[name], second[name]) for name in first)
    if first and isinstance(first[0], np.ndarray):
        return all(map(np.array_equal, first, second))
    return first == second
