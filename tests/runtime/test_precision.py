import keras
import pytest

from tf_darts.runtime.precision import set_precision


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_new_layers_follow(name):
    keras.layers.Dense(1).build([None, 1])  # whatever was used before
    try:
        set_precision(name)
        layer = keras.layers.Dense(1)
        layer.build([None, 1])
        assert layer.kernel.dtype == name
        assert keras.config.floatx() == name
    finally:
        set_precision("float32")
