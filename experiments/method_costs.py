"""What a step of each method costs beside one of first-order DARTS: processor time and memory.

  python experiments/method_costs.py

One process for each method, in turn, and `darts_first` before, among and after them: in
NAS-Bench-201's space at full size (16 channels, 5 cells for each resolution, batch 64), processor
seconds of a step, the median of several; the memory is that of a gradient's tensors, counted in the
traced graph (as the estimate that a run prints). Processor time, not time by the clock: what else
the machine does changes it little.

A method that searches in stages has a line for each of them too. Its own has the mean cost over the
epochs of all stages, which are alike, and the memory of the largest one. Which operations an edge
keeps a search decides; here they are left in turn, so that each is on about as many edges as any.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow: hides its start-up chatter

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.cli import program

_METHODS = flags.DEFINE_list("methods", [], "Which; empty: all that there are.")
_STEPS = flags.DEFINE_integer("steps", 4, "Timed steps of each.", lower_bound=1)
_ONE = flags.DEFINE_string("one", None, "A method: prints its measurement as JSON.")
_REFERENCE = "darts_first"


def measure(method: str, steps: int) -> list[dict[str, float]]:
    """Of each stage, of which a search has one as a rule, what `measure_stage` says."""
    import tf_darts.accelerate  # noqa: F401, the fast forms that a run takes
    from tf_darts.config.presets import configure
    from tf_darts.runs.stages import Stage

    asked = {"mode": "search", "dataset": "cifar10", "space": "nasbench201", "method": method}
    config = configure(asked | {"batch_size": 64})
    stage = Stage(config, (config.cells,))
    measured = [measure_stage(stage.config, stage.cells[-1], steps)]
    while not stage.is_last:
        stage = stage.after({"mixing": in_turn(stage.cells[-1])}, 0.0)
        measured.append(measure_stage(stage.config, stage.cells[-1], steps))
    return measured


def in_turn(cells: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Mixing weights [edges, operations] whose order is turned by one from edge to edge."""
    return {
        kind: (np.arange(cell.columns) - np.arange(cell.edges)[:, np.newaxis]) % cell.columns
        for kind, cell in cells.items()
    }


def measure_stage(config: Any, cells: Mapping[str, Any], steps: int) -> dict[str, float]:
    """Processor seconds of a step, and of the first; bytes of a gradient's tensors at full size."""
    from tf_darts.cells.space import find_space, resolved
    from tf_darts.config.methods import find_method
    from tf_darts.data.facts import ImageFacts
    from tf_darts.runs.memory_estimates import search_memory

    make = resolved(find_space("nasbench201").supernet)
    network = make(config, ImageFacts((32, 32, 3), classes=10), cells)
    memory = search_memory(network, config).tensors
    step = resolved(find_method(config.method).step)(network, config)
    random = np.random.default_rng(0)

    def batch() -> tuple[np.ndarray, np.ndarray]:
        images = random.standard_normal((64, 32, 32, 3), np.float32)
        return images, random.integers(10, size=64, dtype=np.int32)

    seconds = []
    for _ in range(2 + steps):
        batches = batch(), batch()
        start = time.process_time()
        step(*batches, config.weight_learning_rate)
        seconds.append(time.process_time() - start)
    return {"step": statistics.median(seconds[2:]), "first": seconds[0], "memory": memory}


def main(arguments: list[str]) -> None:
    """Prints a line for each method."""
    del arguments
    if _ONE.value:
        print(json.dumps(measure(_ONE.value, _STEPS.value)))
        return
    from tf_darts.config.methods import methods

    names = _METHODS.value or [name for name in methods() if name != _REFERENCE]
    half = len(names) // 2
    rows: dict[str, list[dict[str, float]]] = {}  # of each measurement, one after the other
    for name in [_REFERENCE, *names[:half], _REFERENCE, *names[half:], _REFERENCE]:
        command = [sys.executable, __file__, f"--one={name}", f"--steps={_STEPS.value}"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        stages = json.loads(done.stdout.splitlines()[-1])
        print(name, stages, file=sys.stderr, flush=True)
        whole = {
            "step": statistics.mean(stage["step"] for stage in stages),
            "first": sum(stage["first"] for stage in stages),
            "memory": max(stage["memory"] for stage in stages),
        }
        rows.setdefault(name, []).append(whole)
        for number, stage in enumerate(stages if len(stages) > 1 else (), 1):
            rows[f"{name}, stage {number}"] = [stage]
    step, memory = (
        statistics.median(row[key] for row in rows[_REFERENCE]) for key in ("step", "memory")
    )
    print("| method | cost | memory | first step, processor s |\n|---|---|---|---|")
    for name, measured in rows.items():
        cost = statistics.median(row["step"] for row in measured) / step
        tensors, first = measured[0]["memory"] / memory, measured[0]["first"]
        print(f"| `{name}` | {cost:.2f} | {tensors:.2f} | {first:.0f} |")
    spread = " ".join(f"{row['step'] / step:.2f}" for row in rows[_REFERENCE])
    print(f"`{_REFERENCE}`: {step:.3f} s, {memory / 1e6:.0f} MB; its own costs: {spread}")


if __name__ == "__main__":
    program.run(main, "method_costs")
