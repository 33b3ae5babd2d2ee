"""An activation of one's own on the edges of recurrent cells: x·σ(x), called swish or SiLU.

python -m tf_darts.main --load=examples/own_activation.py --mode=search --dataset=pydoc \
    --hypergradient=first_order --units=32 --batch_size=32 --epochs=2 --run_dir=runs/own_activation
"""

from __future__ import annotations

import tensorflow as tf

import tf_darts


def swish(x: tf.Tensor) -> tf.Tensor:
    """The identity for large numbers, nothing for small ones, and smooth between."""
    return x * tf.sigmoid(x)


tf_darts.add_activation("swish", swish)
