"""Makes the table of NAS-Bench-201 that --table takes, of the public NATS-Bench file.

  python tools/import_table.py --nats_bench=NATS-tss-v1_0-3ffb9-simple --table=nasbench201.csv

Needs the optional extra nats-bench: pip install 'tf_darts[nats-bench]'. The file, or its folder, is
its authors' (https://github.com/D-X-Y/NATS-Bench); their API unpickles it, so give it no other. All
15,625 cells take some minutes.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow: hides its start-up chatter

from absl import flags

# The code beside this tool, whether or not (another) tf_darts is installed.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tf_darts.benchmarks import NasBench201
from tf_darts.benchmarks.nats_file import open_nats, table_text
from tf_darts.cli import program
from tf_darts.errors import UserError
from tf_darts.runtime import files

_NATS_BENCH = flags.DEFINE_string(
    "nats_bench", None, "The file of NATS-Bench, or its folder.", required=True
)
_TABLE = flags.DEFINE_string("table", None, "The CSV file to make.", required=True)


def main(arguments: list[str]) -> int:
    """Imports; returns the exit status."""
    try:
        if len(arguments) > 1:
            raise UserError(f"{arguments[1]!r} is not a flag; write --NAME=VALUE.")
        table = files.expanded(_TABLE.value)
        if files.exists(table):
            raise UserError(
                f"--table={files.shown(table)}: is there already; move it away, or give another."
            )
        if not files.is_directory(table.parent):  # before minutes of reading
            raise UserError(
                f"--table={files.shown(table)}: there is no folder {files.shown(table.parent)};"
                " make it, or give another."
            )
        files.write_atomically(table, table_text(open_nats(_NATS_BENCH.value), _NATS_BENCH.value))
        made = NasBench201(table)
    except UserError as error:
        print(f"import_table: {error}", file=sys.stderr)
        return 2
    missing = "" if made.complete else f" of the {made.form.cells:,} there are"
    print(f"{table}: {len(made):,} cells{missing}, {', '.join(made.columns)}")
    return 0


if __name__ == "__main__":
    program.run(main, "import_table")
