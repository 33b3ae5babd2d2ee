"""Writes all that documents have of experiments/results/: tables, pictures, numbers in sentences.

  python experiments/write_results.py

Nothing is run, and nothing is computed but means, deviations and tests over records. Tables stand
between marks (`marked_tables.py`), numbers behind them (`marked_numbers.py`, `facts.py`).
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import controls
import estimate_curves
import facts
import leaderboard
import shared_weights
import studies
from marked_numbers import with_numbers
from marked_tables import with_tables

from tf_darts.cli import program
from tf_darts.report.tables import Rows
from tf_darts.runtime import files

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def tables() -> dict[str, Rows]:
    """All tables by name."""
    return {
        **leaderboard.tables(leaderboard.read()),
        **shared_weights.tables(shared_weights.read()),
        **estimate_curves.tables(estimate_curves.read()),
        **controls.tables(),
        **studies.tables(),
    }


def written() -> dict[pathlib.Path, str]:
    """Every document as the records have it."""
    made, names = tables(), facts.names()
    texts = {path: with_tables(path.read_text(encoding="utf-8"), made) for path in DOCUMENTS}
    texts[leaderboard.METHODS] = leaderboard.methods(texts[leaderboard.METHODS], leaderboard.read())
    return {path: with_numbers(text, names) for path, text in texts.items()}


def main(arguments: list[str]) -> None:
    """Writes the documents that change, and the pictures."""
    del arguments
    for path, text in written().items():
        if text != path.read_text(encoding="utf-8"):
            files.write_atomically(path, text)
            print(f"Wrote {path.relative_to(ROOT)}.")
    leaderboard.draw(leaderboard.read())
    estimate_curves.draw(estimate_curves.read())


if __name__ == "__main__":
    program.run(main, "write_results")
