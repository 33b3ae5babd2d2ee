"""All steps in turn with a PyTorch program's, as a table: `tools/benchmark.py --against-torch`."""

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator

TOOL = pathlib.Path(__file__).with_name("benchmark.py")
# What is timed: its name, the flags of `benchmark.py`, and how many times faster it should be.
ROWS = (
    ("recurrent search, first order", "rnn_search 64 first_order", 4.0),
    ("recurrent search, second order", "rnn_search 64 finite_difference", 4.0),
    ("convolutional search, first order", "cnn_search 16 first_order", 4.0),
    ("convolutional search, second order", "cnn_search 16 finite_difference", 4.0),
    ("training V2 on CIFAR-10", "cnn_train 8", 3.0),
    ("training V2 on Penn Treebank", "rnn_train 64", 3.0),
)
EXACT = (("recurrent search, exact", "rnn_search 64 exact"),)
EXACT_GOAL = 1.3  # times the second order by finite differences


def torch_is_missing(python: str) -> str | None:
    """Why a Python cannot run the other program, or None."""
    probe = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    if probe.returncode == 0:
        return None
    return (
        f"torch is not installed in {python}; install it there (pip install torch), or name"
        " another with --python"
    )


def measured(name: str, settings: str, more: list[str]) -> dict[str, float]:
    """One row, in a process of its own."""
    task, batch, *hypergradient = settings.split()
    flags = [f"--task={task}", f"--batch_size={batch}"]
    flags += [f"--hypergradient={kind}" for kind in hypergradient]
    print(f"{name} ...", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, str(TOOL), *flags, *more], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"benchmark: {name} failed: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout.splitlines()[-1])


def table(peer: str, python: str, steps: int, rounds: int) -> Iterator[str]:
    """The lines of the table in Markdown, each when it has been measured.

    Args:
      peer: the PyTorch program; "" for none.
      python: what runs it.
      steps: of a round.
      rounds: in which the programs take turns.
    """
    timing = [f"--steps={steps}", f"--rounds={rounds}"]
    reason = torch_is_missing(python) if peer else "no PyTorch program is given (--against)"
    against = [] if reason else [f"--against={peer}", f"--python={python}"]
    yield "| step | median s | min…max s | PyTorch's median s | times faster | goal |"
    yield "|---|---|---|---|---|---|"
    medians = {}
    for name, settings, goal in ROWS:
        row = measured(name, settings, [*timing, *against])
        medians[settings] = row["median_s"]
        theirs = f"{row['peer_median_s']} | {row['times_faster']}" if against else " | "
        yield (
            f"| {name} | {row['median_s']:.3f} | {row['min_s']:.3f}…{row['max_s']:.3f} | {theirs}"
            f" | {goal:g} |"
        )
    for name, settings in EXACT:
        row = measured(name, settings, timing)
        times = row["median_s"] / medians[settings.replace("exact", "finite_difference")]
        yield (
            f"| {name} | {row['median_s']:.3f} | {row['min_s']:.3f}…{row['max_s']:.3f} | |"
            f" {times:.2f} × the time of second order | at most {EXACT_GOAL:g} × |"
        )
    if reason:
        yield f"\nThe comparison is skipped: {reason}."
