"""Searches a recurrent cell on a text of your own, trains a language model with it, and tests it.

  python examples/own_text.py --data_dir=TEXTS
  python examples/own_text.py

TEXTS has train.txt, valid.txt and test.txt: words between white space, a sentence a line. Without
--data_dir the example writes them: the texts of Python's `help()`.

Cost with the written ones: about 2 minutes of processor time. For a result worth having leave the
sizes to the presets (delete `SMALL` and `GENTLE`) and take a machine with an accelerator.
"""

import argparse
import pathlib
from pydoc_data.topics import topics

import tf_darts

SMALL = {"units": 32, "batch_size": 32, "bptt": 10}
# So small a network and text want small rates and little dropout.
GENTLE = {"cell_input_dropout": 0.1, "hidden_dropout": 0.1, "output_dropout": 0.2}


def write_topics(folder: pathlib.Path) -> None:
    """Writes train.txt, valid.txt and test.txt: every tenth topic is for each of the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train.txt": [], "valid.txt": [], "test.txt": []}
    for i, (_, text) in enumerate(sorted(topics.items())):
        parts[{8: "valid.txt", 9: "test.txt"}.get(i % 10, "train.txt")].append(text.lower())
    for name, texts in parts.items():
        (folder / name).write_text("\n".join(texts), encoding="utf-8")


def main() -> None:
    """Search, training, test: each in its own directory of --run_dir, and resumable there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_dir", type=pathlib.Path, help="your texts")
    parser.add_argument("--run_dir", type=pathlib.Path, default=pathlib.Path("runs/own_text"))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps_per_epoch", type=int, default=0, help="0: all of the text")
    flags = parser.parse_args()
    data_dir = flags.data_dir or flags.run_dir / "topics"
    if not flags.data_dir:
        write_topics(data_dir)

    # Words that come once become <unk>, so that new words of other texts have a number.
    texts = {"dataset": "text", "data_dir": data_dir, "min_count": 2, **GENTLE}
    length = {"epochs": flags.epochs, "steps_per_epoch": flags.steps_per_epoch}
    quick = {"hypergradient": "first_order", "weight_learning_rate": 5.0}
    found = tf_darts.search(**texts, **SMALL, **quick, **length, run_dir=flags.run_dir / "search")
    print("Found:", found.cell)

    trained = tf_darts.train(
        found.cell, **texts, **SMALL, **length, run_dir=flags.run_dir / "train", learning_rate=10.0
    )
    print("Tested:", tf_darts.test(trained.path, data_dir=data_dir))


if __name__ == "__main__":
    main()
