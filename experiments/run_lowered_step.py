"""Times a step that `experiments/lower_step.py` lowered, by JAX's compiler and runtime.

    python experiments/run_lowered_step.py DIR [DIR ...] --steps=20

Needs jax and numpy only. Each step's results are the next one's arguments. What the first steps
give is compared with what TensorFlow's gave; prints one JSON line for each DIR.
"""

import argparse
import dataclasses
import importlib.util
import json
import pathlib
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np


def drawn(seed: int, shape: Sequence[int], mean: float, deviation: float) -> np.ndarray:
    """Normal values, the same in both programs."""
    values = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return np.float32(mean) + np.float32(deviation) * values


def loaded(directory: pathlib.Path) -> tuple[bytes, dict[str, Any], list[np.ndarray]]:
    """The program, its description and its first arguments."""
    description = json.loads((directory / "step.json").read_text(encoding="utf-8"))
    with np.load(directory / "beginning.npz") as kept:
        arguments = [
            drawn(**draw) if draw else kept[str(i)] for i, draw in enumerate(description["draws"])
        ]
    return (directory / "step.mlir").read_bytes(), description, arguments


def compiled(program: bytes, description: dict[str, Any], arguments: list[Any]) -> Any:
    """The program as a function of its arguments; arguments that move lend their memory."""
    import jax
    from jax import export, numpy

    moved = description["moved"]

    def like(*arguments: Any) -> tuple[Any, ...]:
        """Takes and gives what the program does; it lends the program its signature."""
        scalars = (numpy.zeros((), numpy.float32) for _ in description["names"])
        return *scalars, *(arguments[place] for place in moved)

    exported = dataclasses.replace(
        export.export(jax.jit(like))(*arguments),
        mlir_module_serialized=program,
        module_kept_var_idx=tuple(range(len(arguments))),
    )
    function = jax.jit(exported.call, donate_argnums=tuple(moved))
    return function.lower(*arguments).compile()


def measured(directory: pathlib.Path, steps: int, warmup: int) -> dict[str, Any]:
    """Runs the steps of one directory."""
    import jax

    program, description, arguments = loaded(directory)
    names, moved = description.pop("names"), description.pop("moved")
    expected = description.pop("expected")
    description.pop("draws")
    start = time.perf_counter()
    run = compiled(program, {"names": names, "moved": moved}, arguments)
    seconds_to_compile = time.perf_counter() - start
    arguments = [jax.device_put(argument) for argument in arguments]

    def step() -> list[Any]:
        results = run(*arguments)
        for place, value in zip(moved, results[len(names) :], strict=True):
            arguments[place] = value
        return results[: len(names)]

    differences = []
    for there in expected:
        here = [float(value) for value in step()]
        off = [abs(h - t) / max(abs(t), 1e-30) for h, t in zip(here, there, strict=True)]
        differences.append({n: float(f"{value:.2g}") for n, value in zip(names, off, strict=True)})
    for _ in range(warmup):
        step()
    jax.block_until_ready(arguments)
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        jax.block_until_ready(arguments)
        seconds.append(time.perf_counter() - start)
    memory = jax.devices()[0].memory_stats() or {}
    return {
        **description,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "compile_s": round(seconds_to_compile, 1),
        "median_s": round(statistics.median(seconds), 6),
        "min_s": round(min(seconds), 6),
        "max_s": round(max(seconds), 6),
        "peak_memory_gb": round(memory.get("peak_bytes_in_use", 0) / 1e9, 3),
        "relative_differences": differences,
    }


def main() -> None:
    """Prints the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directories", nargs="+", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--steps", type=int, default=20, help="timed ones")
    parser.add_argument("--warmup", type=int, default=3, help="steps before these")
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error(f"--steps={arguments.steps}: time one step at least")
    for directory in arguments.directories:
        if not (directory / "step.json").is_file():
            parser.error(f"{directory}: has no step.json; make it with experiments/lower_step.py")
    if importlib.util.find_spec("jax") is None:
        parser.error("needs jax: pip install jax")
    import jax

    jax.config.update("jax_enable_x64", True)  # counters of steps have 64 bits
    for directory in arguments.directories:
        print(json.dumps(measured(directory, arguments.steps, arguments.warmup)), flush=True)


if __name__ == "__main__":
    main()
