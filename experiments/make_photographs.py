"""Writes made-up photographs for timing how fast real ones are read, decoded and augmented.

    python experiments/make_photographs.py photos --count=2000
    python tools/benchmark.py --task=image_input --photographs --dataset=folder --data_dir=photos

They are JPEGs of 500x375 pixels and about 95 KB, as ImageNet's are, in folders of ten classes.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

_CLASSES = 10
_SIZE = (500, 375)
_NOISE = 12.0  # the deviation that makes a file as large as those of ImageNet
_QUALITY = 92


def make_photographs(folder: pathlib.Path, count: int) -> None:
    """Writes `count` pictures, of large patches with noise, the same ones every time."""
    for number in range(count):
        random = np.random.default_rng(number)
        patches = Image.fromarray(random.integers(0, 256, (24, 32, 3)).astype(np.uint8))
        pixels = np.asarray(patches.resize(_SIZE, Image.Resampling.BICUBIC))
        pixels = np.clip(pixels + random.normal(0, _NOISE, pixels.shape), 0, 255).astype(np.uint8)
        path = folder / f"class{number % _CLASSES}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=_QUALITY)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="where to write them")
    parser.add_argument("--count", type=int, default=2000, help="how many")
    arguments = parser.parse_args()
    make_photographs(arguments.folder, arguments.count)
