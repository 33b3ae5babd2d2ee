"""Puts derived cells into a Keras model of one's own, and trains it with `fit`.

  python examples/cell_in_keras_model.py
  python examples/cell_in_keras_model.py --genotype=RUN/genotype.json

Cells are layers like others: they take the outputs of the two layers before, and have their place
anywhere in a functional model. Here: two of them, on scikit-learn's handwritten digits.

Cost: about half a minute of processor time.
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits

import tf_darts


def make_model(genotype: tf_darts.ConvolutionalGenotype, channels: int) -> keras.Model:
    """A convolution, a normal and a reduction cell, a linear layer: [B, 8, 8, 1] to [B, 10]."""
    images = keras.Input([8, 8, 1])
    stem = keras.layers.Conv2D(channels, 3, padding="same")(images)
    normal = tf_darts.DerivedCell(genotype.normal, genotype.normal_concat, channels)
    reduce = tf_darts.DerivedCell(
        genotype.reduce, genotype.reduce_concat, 2 * channels, reduction=True
    )
    first = normal((stem, stem))
    last = reduce((stem, first))
    logits = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(last))
    return keras.Model(images, logits)


def main() -> None:
    """Trains on 1,500 digits and says how many of the others are recognised."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--genotype", help="a genotype.json; darts_v2 if not given")
    parser.add_argument("--epochs", type=int, default=10)
    flags = parser.parse_args()
    genotype = tf_darts.PUBLISHED["convolutional"]["darts_v2"]
    if flags.genotype:
        genotype = tf_darts.load_genotype(flags.genotype)

    digits = load_digits()
    images, labels = np.float32(digits.images[..., np.newaxis] / 16), digits.target
    model = make_model(genotype, channels=8)
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(images[:1500], labels[:1500], batch_size=50, epochs=flags.epochs, verbose=2)
    _, accuracy = model.evaluate(images[1500:], labels[1500:], verbose=0)
    print(f"Of the digits left out {100 * accuracy:.1f} % are recognised.")


if __name__ == "__main__":
    main()
