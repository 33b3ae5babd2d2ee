"""Makes a finished training of the official release's weights, for --mode=test and export.

  python tools/import_official_weights.py --weights=cifar10_model.pt --dataset=cifar10 \
    --genotype=darts_v2 --run_dir=runs/official_cifar10

Needs the optional extra torch: pip install 'tf_darts[torch]'. The file holds a state dict, of a
network for CIFAR-10, ImageNet or Penn Treebank; nothing else in it is executed or unpickled.
"""
# ruff: noqa: E402 (TensorFlow is loaded before what imports it)

import pathlib
import shlex
import sys

# The code beside this tool, whether or not (another) tf_darts is installed.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.runtime import start_up

start_up.load_tensorflow()  # without its chatter

from absl import flags

from tf_darts.cli import program
from tf_darts.errors import UserError
from tf_darts.formats.official_file import read_state
from tf_darts.runs.official import import_official

_WEIGHTS = flags.DEFINE_string("weights", None, "The .pt file.", required=True)
_DATASET = flags.DEFINE_string("dataset", None, "What the network was trained on.", required=True)
_GENOTYPE = flags.DEFINE_string("genotype", "darts_v2", "Its cell, as for --mode=train.")
_RUN_DIR = flags.DEFINE_string("run_dir", None, "The run directory to make.", required=True)


def main(arguments: list[str]) -> int:
    """Imports; returns the exit status."""
    try:
        if len(arguments) > 1:
            raise UserError(f"{arguments[1]!r} is not a flag; write --NAME=VALUE.")
        overrides = {
            "dataset": _DATASET.value,
            "genotype": _GENOTYPE.value,
            "run_dir": _RUN_DIR.value,
        }
        source = pathlib.Path(_WEIGHTS.value).name
        run = import_official(read_state(_WEIGHTS.value), source, overrides)
    except UserError as error:
        print(f"import_official_weights: {error}", file=sys.stderr)
        return 2
    print(f"Test it: python -m tf_darts.main --mode=test --run_dir={shlex.quote(str(run.path))}")
    return 0


if __name__ == "__main__":
    program.run(main, "import_official_weights")
