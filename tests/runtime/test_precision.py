import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts.config.devices import PRECISIONS
from tf_darts.errors import UserError
from tf_darts.runtime import precision
from tf_darts.runtime.precision import Precision, matmul, set_precision


@pytest.fixture(autouse=True)
def single_precision():
    yield
    set_precision("float32")


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])


@pytest.mark.parametrize("name", PRECISIONS)
def test_new_layers_follow(name):
    keras.layers.Dense(1).build([None, 1])  # whatever was used before
    set_precision(name)
    layer = keras.layers.Dense(1)
    layer.build([None, 1])
    variable = "float64" if name == "float64" else "float32"
    assert layer.kernel.dtype == variable
    assert keras.config.floatx() == variable
    assert precision.current().variable == variable
    assert precision.current().mixed == name.startswith("mixed_")
    assert precision.current().scales_losses == (name == "mixed_float16")


def test_which_products_gain_on_a_cpu(without_gpu):
    mixed = Precision.from_name("mixed_bfloat16")
    assert mixed.gains(8960, 300, 10000)  # the decoder of the search
    assert mixed.gains(None, 300, 10000)  # with so many tokens as there are
    assert mixed.gains(2240, 850, 1700)  # a kernel's gradient in the training
    assert not mixed.gains(64, 850, 1700)  # a node of the training, one time step
    assert not mixed.gains(64, 300, 600)
    assert not mixed.gains(65536, 80, 80)
    assert not Precision.from_name("float32").gains(8960, 300, 10000)


def test_all_products_gain_on_a_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one"])
    assert Precision.from_name("mixed_bfloat16").gains(1, 1, 1)
    assert not Precision.from_name("float32").gains(8960, 300, 10000)


def products(function, *shapes):
    """The types of the matrix products in a graph."""
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
    return [op.get_attr("T") for op in graph.get_operations() if op.type == "MatMul"]


def both_slopes(a, b):
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        product = matmul(a, b)
    return product, *tape.gradient(product, [a, b])


def test_a_large_product_and_its_gradient(without_gpu):
    set_precision("mixed_bfloat16")
    assert products(both_slopes, (512, 512), (512, 512)) == [tf.bfloat16] * 3
    assert products(both_slopes, (64, 300), (300, 600)) == [tf.float32] * 3
    with precision.using(precision.current().full):
        assert products(both_slopes, (512, 512), (512, 512)) == [tf.float32] * 3


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_the_numbers_are_rounded_operands(kind):
    random = np.random.default_rng(0)
    a, b = (tf.constant(random.standard_normal((8, 8)), tf.float32) for _ in range(2))
    with precision.using(Precision("float32", kind, 0.0)):
        for transposed in ({}, {"transpose_a": True}, {"transpose_b": True}):
            found = matmul(a, b, **transposed)
            rounded = [tf.cast(tf.cast(x, kind), tf.float32) for x in (a, b)]
            wanted = tf.matmul(*rounded, **transposed)
            assert found.dtype == tf.float32
            np.testing.assert_allclose(found, wanted, rtol=0.01, atol=0.02)
            assert np.any(found != tf.matmul(a, b, **transposed))


def test_other_types_are_left_alone():
    with precision.using(Precision("float32", "bfloat16", 0.0)):
        assert matmul(*[tf.ones([2, 2], tf.float64)] * 2).dtype == tf.float64
        assert products(both_slopes, (2, 2), (2, 2)) == [tf.bfloat16] * 3


def test_a_flag_without_effect_is_refused(without_gpu):
    set_precision("mixed_bfloat16")
    precision.check_language_model(300, 10000)
    with pytest.raises(UserError, match="no product of 64 units and 10,000 words gains"):
        precision.check_language_model(64, 10000)
    set_precision("float32")
    precision.check_language_model(64, 10000)
