"""All that is to be known of a GPU, one piece after the other, the most valuable first.

  python experiments/on_a_gpu.py gpu_results --against=torch_darts.py --data_dir=DATA

The first folder gets a JSON file for each piece: its command, exit status, seconds and what it
printed last. A piece whose file is there is not run again, so the same command goes on where it was
stopped; one that failed is tried again when its file is removed. `--small` takes sizes that a
processor can do, to try the program itself.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

from absl import app, flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.cli import program

ROOT = pathlib.Path(__file__).resolve().parents[1]
_AGAINST = flags.DEFINE_string("against", None, "A PyTorch program to be timed in turn.")
_TORCH = flags.DEFINE_string("python", sys.executable, "The interpreter that has torch.")
_DATA = flags.DEFINE_string("data_dir", None, "Has Penn Treebank; without it nothing is searched.")
_MINUTES = flags.DEFINE_float("minutes", 9.0, "A piece is stopped after so many.", lower_bound=0.1)
_SMALL = flags.DEFINE_bool("small", False, "Small sizes, to try this program.")
_LAST = 6000  # characters of a piece's output

TESTS = (
    "tests/bilevel/test_hypergradient.py",
    "tests/bilevel/test_golden_recurrent.py",
    "tests/bilevel/test_golden_convolutional.py",
    "tests/bilevel/test_golden_nasbench201.py",
    "tests/bilevel/test_step.py",
)
SIZES = {"rnn": "--batch_size=64", "cnn": "--batch_size=16", "nb201": "--batch_size=64"}
TOY = {
    "rnn": "--batch_size=2 --units=8 --words=50",
    "cnn": "--batch_size=2 --channels=2 --layers=3",
    "nb201": "--batch_size=2 --channels=2 --setting=cells_per_stage=1",
}


def pieces(folder: pathlib.Path) -> dict[str, list[str]]:
    """The commands by name, the most valuable first; a search lives in the folder."""
    python, found = sys.executable, {}
    found["devices"] = [
        python,
        "-c",
        "import tensorflow as tf; print(tf.__version__, tf.config.list_physical_devices('GPU'));"
        "x = tf.random.normal([8, 32, 32, 16]); k = tf.Variable(tf.random.normal([3, 3, 16, 16]))\n"
        "with tf.GradientTape() as t: y = tf.reduce_sum(tf.nn.conv2d(x, k, 1, 'SAME') ** 2)\n"
        "print(float(tf.norm(t.gradient(y, k))))",
    ]
    for test in TESTS[-1:] if _SMALL.value else TESTS:
        found[f"test_{pathlib.Path(test).stem}"] = [python, "-m", "pytest", "-q", "-x", test]
    sizes = TOY if _SMALL.value else SIZES
    against = ["--rounds=2", f"--against={_AGAINST.value}", f"--python={_TORCH.value}"]
    for task in ("rnn_train", "rnn_search", "cnn_search", "cnn_train", "nb201_search"):
        kind, search = task.split("_")
        for estimate in ("first_order", "finite_difference") if search == "search" else ("",):
            step = [python, "tools/benchmark.py", f"--task={task}", *sizes[kind].split()]
            step += ["--steps=2" if _SMALL.value else "--steps=10", "--warmup=2"]
            step += [f"--hypergradient={estimate}"] if estimate else []
            name = "_".join(filter(None, (task, estimate)))
            found[name] = step + (against if _AGAINST.value else [])
            found[f"{name}_clear"] = [*step, "--accelerate=off"]
            found[f"{name}_xla"] = [*step, "--xla=step"]
    if not _SMALL.value:
        train = [python, "tools/benchmark.py", "--task=cnn_train", "--batch_size=96", "--steps=10"]
        found["cnn_train_96"] = train
    if _DATA.value:
        run = [python, "-m", "tf_darts.main", "--mode=search", f"--data_dir={_DATA.value}"]
        run += ["--dataset=ptb", f"--run_dir={folder.absolute() / 'ptb'}"]
        run += ["--units=8", "--epochs=1", "--steps_per_epoch=2"] if _SMALL.value else []
        found["search_ptb"] = [*run, "--checkpoint_steps=20"]
    return found


def run(name: str, command: list[str], folder: pathlib.Path) -> None:
    """Runs a piece and keeps what became of it, unless that is known."""
    file = folder / f"{name}.json"
    if file.exists():
        print(f"{name}: done before")
        return
    start = time.monotonic()
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.getenv('PYTHONPATH', '')}"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = process.communicate(timeout=60 * _MINUTES.value)
    except subprocess.TimeoutExpired:
        process.terminate()  # a search saves its state
        output, _ = process.communicate()
    seconds = round(time.monotonic() - start, 1)
    result = {"command": command, "status": process.returncode, "seconds": seconds}
    text = json.dumps(result | {"output": output[-_LAST:]}, indent=2)
    partial = file.with_suffix(".part")
    partial.write_text(text + "\n")
    partial.replace(file)
    print(f"{name}: status {process.returncode} after {seconds} s", flush=True)


def main(arguments: list[str]) -> None:
    """Runs all pieces; the folder is the first argument."""
    if len(arguments) != 2:
        raise app.UsageError("give the folder of the results, and nothing else but flags.")
    folder = pathlib.Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, command in pieces(folder).items():
        run(name, command, folder)


if __name__ == "__main__":
    program.run(main, "on_a_gpu")
