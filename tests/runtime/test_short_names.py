"""Variables of many layers share TensorFlow's names, and nothing else."""

import keras
import numpy as np
import tensorflow as tf

from tf_darts.runtime.short_names import short_names
from tf_darts.spaces.image_doors import ImageObjective


class Outer(keras.Layer):
    def __init__(self, count):
        super().__init__(name="outer")
        self.inner = [keras.layers.Dense(2, name=f"inner_{i}") for i in range(count)]

    def build(self, input_shape):
        for layer in self.inner:
            layer.build(input_shape)


def built(count=3):
    layer = Outer(count)
    layer.build((None, 4))
    return layer


def test_the_path_is_left_out_of_the_name_alone():
    with short_names():
        short = built()
    whole = built()
    assert [v.path for v in short.variables] == [v.path for v in whole.variables]
    assert {v.value.name for v in short.variables} == {"kernel:0", "bias:0"}
    assert len({v.value.name for v in whole.variables}) == 6
    first, _, second, *_ = short.variables
    before = second.numpy()
    first.assign(np.ones((4, 2)))
    np.testing.assert_array_equal(second, before, "they are variables of their own")


def test_they_are_told_apart_where_they_are_saved_and_exported(tmp_path):
    with short_names():
        layer, other = built(), built()
    ours, theirs = (
        tf.train.Checkpoint(values=[v.value for v in each.variables]) for each in (layer, other)
    )
    theirs.read(ours.write(str(tmp_path / "checkpoint"))).assert_consumed()
    for saved, read in zip(layer.variables, other.variables, strict=True):
        np.testing.assert_array_equal(saved, read)
    inputs = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    module = tf.Module()
    module.values = [v.value for v in layer.variables]
    module.total = tf.function(
        lambda x: tf.add_n([inner(x) for inner in layer.inner]),
        input_signature=[tf.TensorSpec([None, 4])],
    )
    wanted = module.total(inputs)
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_array_equal(loaded.total(inputs), wanted)


def test_networks_are_built_with_them():
    layer = Outer(2)
    ImageObjective(layer, (4, 4, 4))
    assert {v.value.name for v in layer.variables} == {"kernel:0", "bias:0"}
    assert layer.inner[1].kernel.path == "outer/inner_1/kernel"
