"""Searches cells on images of your own, trains the network they make, and tests it.

  python examples/own_images.py --data_dir=PICTURES --image_size=32
  python examples/own_images.py

PICTURES has a folder of JPEG or PNG files for each class, in train/ and in test/. Without
--data_dir the example writes some: 300 of scikit-learn's handwritten digits.

Cost with the written ones: about 2 minutes of processor time. For a result worth having leave the
sizes to the presets (delete `SMALL` and `network`) and take a machine with an accelerator.
"""

import argparse
import pathlib

from PIL import Image
from sklearn.datasets import load_digits

import tf_darts

# A small network, and the quicker kind of search.
SMALL = {"channels": 4, "layers": 3, "batch_size": 16, "hypergradient": "first_order"}


def write_digits(folder: pathlib.Path) -> None:
    """Writes PNG files as FOLDER/train/CLASS/*.png and FOLDER/test/CLASS/*.png."""
    digits = load_digits()
    for i in range(300):
        part = "test" if i % 5 == 0 else "train"
        file = folder / part / str(digits.target[i]) / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[i] * 15).astype("uint8")).save(file)


def main() -> None:
    """Search, training, test: each in its own directory of --run_dir, and resumable there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_dir", type=pathlib.Path, help="your images")
    parser.add_argument("--image_size", type=int, default=0, help="pixels, if they differ in size")
    parser.add_argument("--run_dir", type=pathlib.Path, default=pathlib.Path("runs/own_images"))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps_per_epoch", type=int, default=0, help="0: all images")
    flags = parser.parse_args()
    data_dir = flags.data_dir or flags.run_dir / "digits"
    if not flags.data_dir:
        write_digits(data_dir)

    images = {"dataset": "folder", "data_dir": data_dir, "image_size": flags.image_size}
    images |= {"crop_padding": 1, "flip": False}  # digits are not the same in a mirror
    images |= {"epochs": flags.epochs, "steps_per_epoch": flags.steps_per_epoch}
    found = tf_darts.search(**images, **SMALL, run_dir=flags.run_dir / "search")
    print("Found:", found.cell)

    network = {"channels": 8, "layers": 3, "auxiliary_weight": 0.0, "cutout": 0, "batch_size": 16}
    trained = tf_darts.train(
        found.cell,
        **images,
        **network,
        run_dir=flags.run_dir / "train",
        validation_examples=60,
    )
    print("Tested:", tf_darts.test(trained.path, data_dir=data_dir))


if __name__ == "__main__":
    main()
