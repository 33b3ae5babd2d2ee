"""Where the time of a step goes: the threads' milliseconds in each kind of operation.

    python experiments/step_profile.py --task=cnn_search --batch_size=16 --hypergradient=first_order

TensorFlow's profiler says when each operation began and ended, on which thread. What oneDNN
computes (its names begin with _Mkl) is given apart: divided by the number of cores, it is what a
step would take at least, with cores that never wait and nothing else to do.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import collections
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

import tensorflow as tf
from absl import flags
from benchmark_tasks import TASKS
from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XLine, XSpace

from tf_darts.cli import program
from tf_darts.runtime.threads import cores

FLAGS = flags.FLAGS
flags.DEFINE_enum("task", "cnn_search", [t for t in TASKS if t != "image_input"], "which step")
flags.DEFINE_integer("steps", 3, "profiled steps", lower_bound=1)
flags.DEFINE_integer("kinds", 12, "how many kinds of operations are listed", lower_bound=1)
_WARM_UP, _TIMED = 2, 7
# Threads that wait, and what holds other operations; the rest of an operation's time is its own.
_WAITING = ("Run", "FunctionRun", "TFE_Py_ExecuteCancelable", "ExecutorDoneCallback")


def own_times(line: XLine, names: dict[int, str]) -> Iterator[tuple[str, float]]:
    """Each event of a thread: its kind, and the milliseconds that are no other event's inside."""
    events = sorted(line.events, key=lambda event: (event.offset_ps, -event.duration_ps))
    inside: list[list[float]] = []  # of the events that are open: end, own time, number
    own = [event.duration_ps for event in events]
    for number, event in enumerate(events):
        while inside and inside[-1][0] <= event.offset_ps:
            inside.pop()
        if inside:
            own[int(inside[-1][1])] -= event.duration_ps
        inside.append([event.offset_ps + event.duration_ps, number])
    for event, picoseconds in zip(events, own, strict=True):
        yield names[event.metadata_id].rsplit(":", 1)[-1], picoseconds / 1e9


def profiled(directory: str) -> dict[str, tuple[float, int]]:
    """By kind of operation the milliseconds on all threads, and how many there were."""
    (file,) = pathlib.Path(directory).rglob("*.xplane.pb")
    space = XSpace.FromString(file.read_bytes())
    times: dict[str, float] = collections.Counter()
    numbers: dict[str, int] = collections.Counter()
    for plane in (plane for plane in space.planes if plane.name == "/host:CPU"):
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for line in plane.lines:
            for kind, milliseconds in own_times(line, names):
                if kind not in _WAITING:
                    times[kind] += milliseconds
                    numbers[kind] += 1
    return {kind: (times[kind], numbers[kind]) for kind in times}


def main(arguments: list[str]) -> None:
    """Prints the kinds that take longest, and the bound."""
    del arguments
    task = TASKS[FLAGS.task]()
    for _ in range(_WARM_UP):
        task.run()
    seconds, processor = [], []
    for _ in range(_TIMED):
        start, begun = time.perf_counter(), time.process_time()
        task.run()
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - begun)
    with tempfile.TemporaryDirectory() as directory:
        tf.profiler.experimental.start(directory)
        for _ in range(FLAGS.steps):
            task.run()
        tf.profiler.experimental.stop()
        found = profiled(directory)
    for kind, (milliseconds, number) in sorted(found.items(), key=lambda item: -item[1][0])[
        : FLAGS.kinds
    ]:
        print(f"{milliseconds / FLAGS.steps:8.1f} ms {number // FLAGS.steps:6d}  {kind}")
    kernels = sum(time for kind, (time, _) in found.items() if kind.startswith("_Mkl"))
    print(
        f"a step takes {statistics.median(seconds):.3f} s ({min(seconds):.3f} at least) and"
        f" {statistics.median(processor):.3f} processor seconds ({min(processor):.3f}); oneDNN's"
        f" kernels {kernels / FLAGS.steps / 1e3:.3f}, on {cores()} cores that never wait"
        f" {kernels / FLAGS.steps / 1e3 / cores():.3f} s"
    )


if __name__ == "__main__":
    program.run(main, "step_profile")
