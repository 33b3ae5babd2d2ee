"""The operations on a cell's edges against loops over pixels in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm
from tf_darts.spaces.convolutional.operations.convolutions import (
    FactorizedReduction,
    ReluConvBatchNorm,
)
from tf_darts.spaces.convolutional.operations.registry import OPERATIONS, make_operation
from tf_darts.spaces.draws import drawn_by

SIZES = [(6, 6), (7, 5)]
SEED = (1, 2)  # of what operations draw


def relu(x):
    return np.maximum(x, 0.0)


def out_size(pixels, stride):
    return (pixels + stride - 1) // stride


def taps(shape, y, x, size, stride, dilation=1):
    """What a window of `size` around output pixel (y, x) sees: kernel and input indices."""
    for i in range(size[0]):
        for j in range(size[1]):
            row = y * stride[0] + (i - (size[0] - 1) // 2) * dilation
            column = x * stride[1] + (j - (size[1] - 1) // 2) * dilation
            if 0 <= row < shape[1] and 0 <= column < shape[2]:
                yield i, j, row, column


def depthwise_reference(x, kernel, stride, dilation):
    batch, height, width, channels = x.shape
    result = np.zeros([batch, out_size(height, stride), out_size(width, stride), channels])
    for y in range(result.shape[1]):
        for z in range(result.shape[2]):
            for i, j, row, column in taps(
                x.shape, y, z, kernel.shape[:2], (stride, stride), dilation
            ):
                result[:, y, z] += x[:, row, column] * kernel[i, j, :, 0]
    return result


def convolution_reference(x, kernel, stride):
    batch, height, width, _ = x.shape
    size = (out_size(height, stride[0]), out_size(width, stride[1]))
    result = np.zeros([batch, *size, kernel.shape[-1]])
    for y in range(size[0]):
        for z in range(size[1]):
            for i, j, row, column in taps(x.shape, y, z, kernel.shape[:2], stride):
                result[:, y, z] += x[:, row, column] @ kernel[i, j]
    return result


def norm_reference(x, layer):
    mean = x.mean(axis=(0, 1, 2))
    variance = ((x - mean) ** 2).mean(axis=(0, 1, 2))
    result = (x - mean) / np.sqrt(variance + 1e-5)
    return result * layer.scale.numpy() + layer.offset.numpy() if layer.affine else result


def separable_once(x, layer, stride, dilation=1):
    spread = depthwise_reference(relu(x), layer.depthwise_kernel.numpy(), stride, dilation)
    return norm_reference(spread @ layer.pointwise_kernel.numpy(), layer.norm)


def separable_reference(x, layer, stride):
    return separable_once(separable_once(x, layer.first, stride), layer.second, 1)


def dilated_reference(x, layer, stride):
    return separable_once(x, layer, stride, dilation=2)


def factorized_convolution_reference(x, layer, stride):
    rows = convolution_reference(relu(x), layer.row_kernel.numpy(), (1, stride))
    columns = convolution_reference(rows, layer.column_kernel.numpy(), (stride, 1))
    return norm_reference(columns, layer.norm)


def reduction_reference(x, layer):
    batch, height, width, _ = x.shape
    even, odd = layer.even_kernel.numpy(), layer.odd_kernel.numpy()
    half = even.shape[1]
    result = np.zeros([batch, out_size(height, 2), out_size(width, 2), 2 * half])
    for y in range(result.shape[1]):
        for z in range(result.shape[2]):
            result[:, y, z, :half] = relu(x[:, 2 * y, 2 * z]) @ even
            if 2 * y + 1 < height and 2 * z + 1 < width:
                result[:, y, z, half:] = relu(x[:, 2 * y + 1, 2 * z + 1]) @ odd
    return norm_reference(result, layer.norm)


def skip_reference(x, layer, stride):
    return x if stride == 1 else reduction_reference(x, layer)


def zero_reference(x, layer, stride):
    return np.zeros([len(x), *(out_size(n, stride) for n in x.shape[1:3]), x.shape[-1]])


def pooling_reference(choose):
    def reference(x, layer, stride):
        result = zero_reference(x, layer, stride)
        for y in range(result.shape[1]):
            for z in range(result.shape[2]):
                seen = [
                    x[:, row, column]
                    for _, _, row, column in taps(x.shape, y, z, (3, 3), (stride, stride))
                ]
                result[:, y, z] = choose(np.stack(seen))
        return norm_reference(result, layer.norm) if layer.normalized else result

    return reference


def noise_reference(x, layer, stride):
    seed = tf.random.experimental.stateless_fold_in(SEED, layer.seed)
    shape = zero_reference(x, layer, stride).shape
    return tf.random.stateless_normal(shape, seed, dtype=tf.float64)


REFERENCES = {
    "none": zero_reference,
    "max_pool_3x3": pooling_reference(lambda seen: seen.max(axis=0)),
    "avg_pool_3x3": pooling_reference(lambda seen: seen.mean(axis=0)),
    "skip_connect": skip_reference,
    "sep_conv_3x3": separable_reference,
    "sep_conv_5x5": separable_reference,
    "sep_conv_7x7": separable_reference,
    "dil_conv_3x3": dilated_reference,
    "dil_conv_5x5": dilated_reference,
    "conv_7x1_1x7": factorized_convolution_reference,
    "noise": noise_reference,
}
KERNEL_SIZES = {
    "sep_conv_3x3": 3,
    "sep_conv_5x5": 5,
    "sep_conv_7x7": 7,
    "dil_conv_3x3": 3,
    "dil_conv_5x5": 5,
}


def images(height, width, channels=4, batch=2):
    return np.random.default_rng(0).standard_normal([batch, height, width, channels])


def randomize(layer, names=("scale", "offset", "running_mean", "running_variance")):
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        if weight.name in names:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))


def close(actual, wanted, tolerance=1e-12):
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)


def test_every_operation_has_a_reference():
    assert REFERENCES.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name, stride, size, affine, float64):
    inputs = images(*size)
    layer = make_operation(name, 4, stride=stride, affine=affine, seed=3)
    layer.build(inputs.shape)
    randomize(layer)
    with drawn_by(SEED):
        outputs = layer(tf.constant(inputs), training=True)
    assert outputs.dtype == tf.float64
    assert outputs.shape == layer.compute_output_shape(inputs.shape)
    assert layer.compute_output_shape((None, None, None, 4)) == (None, None, None, 4)
    if name in KERNEL_SIZES:
        kernels = [w for w in layer.weights if w.name == "depthwise_kernel"]
        assert len(kernels) == (2 if name.startswith("sep") else 1)
        assert all(kernel.shape[:2] == 2 * (KERNEL_SIZES[name],) for kernel in kernels)
    close(outputs, REFERENCES[name](inputs, layer, stride))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", ["max_pool_3x3", "avg_pool_3x3"])
def test_padding_takes_no_part_in_pooling(name, stride, size, float64):
    inputs = -1.0 - np.abs(images(*size))
    outputs = make_operation(name, 4, stride=stride)(tf.constant(inputs)).numpy()
    assert outputs.max() <= -1.0
    layer = make_operation(name, 4, stride=stride)
    close(outputs, REFERENCES[name](inputs, layer, stride))
    close(layer(tf.fill(inputs.shape, tf.constant(-2.0, tf.float64))), np.full(outputs.shape, -2))


def test_padding_is_symmetric_where_tensorflow_s_is_not(float64):
    inputs = tf.constant(images(6, 6))
    ours = make_operation("max_pool_3x3", 4, stride=2)(inputs)
    assert np.abs(ours - tf.nn.max_pool2d(inputs, 3, 2, "SAME")).max() > 0.1


@pytest.mark.parametrize("stride", [1, 2])
def test_relu_conv_batch_norm(stride, float64):
    inputs = images(7, 5)
    layer = ReluConvBatchNorm(6, stride=stride, seed=1)
    outputs = layer(tf.constant(inputs), training=True)
    randomize(layer)
    assert outputs.shape == layer.compute_output_shape(inputs.shape)
    outputs = layer(tf.constant(inputs), training=True)
    product = relu(inputs)[:, ::stride, ::stride] @ layer.kernel.numpy()
    close(outputs, norm_reference(product, layer.norm))


@pytest.mark.parametrize("size", SIZES)
def test_a_reduction_may_change_the_channels(size, float64):
    inputs = images(*size)
    layer = FactorizedReduction(6, seed=1)
    outputs = layer(tf.constant(inputs), training=True)
    assert outputs.shape == layer.compute_output_shape(inputs.shape)
    close(outputs, reduction_reference(inputs, layer))


LAYERS = [
    *(
        pytest.param(name, stride, id=f"{name}-{stride}")
        for name in OPERATIONS
        for stride in (1, 2)
    ),
    pytest.param(ReluConvBatchNorm, 1, id="relu_conv"),
    pytest.param(FactorizedReduction, 2, id="reduction"),
]


def make(kind, stride, **settings):
    if isinstance(kind, str):
        return make_operation(kind, 4, stride=stride, **settings)
    return kind(channels=6, stride=stride, **settings)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("kind", "stride"), LAYERS)
def test_configurations_go_round(kind, stride, affine):
    layer = make(kind, stride, affine=affine, seed=7, name="some_name")
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.name, again.stride, again.affine, again.seed) == ("some_name", stride, affine, 7)
    for one in (layer, again):
        one.build((None, 6, 6, 4))
    assert [w.path for w in layer.weights] == [w.path for w in again.weights]
    for one, other in zip(layer.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("kind", "stride"), LAYERS)
def test_initial_weights(kind, stride):
    layer, other = (make(kind, stride, seed=seed) for seed in (1, 2))
    for one in (layer, other):
        one.build((None, 6, 6, 4))
    kernels = [weight for weight in layer.trainable_weights if "kernel" in weight.name]
    for kernel in kernels:
        separate = kernel.name == "depthwise_kernel"
        fan_in = np.prod(kernel.shape[:2]) if separate else np.prod(kernel.shape[:-1])
        largest = np.abs(kernel.numpy()).max()
        assert 0.6 * fan_in**-0.5 < largest <= fan_in**-0.5
        assert kernel.numpy().min() < 0.0 < kernel.numpy().max()
    both = [*kernels, *(w for w in other.trainable_weights if "kernel" in w.name)]
    assert len({kernel.numpy().ravel()[:3].tobytes() for kernel in both}) == len(both)


@pytest.mark.parametrize(("kind", "stride"), LAYERS)
def test_only_affine_norms_are_trained(kind, stride):
    affine, plain = (make(kind, stride, affine=affine) for affine in (True, False))
    for layer in (affine, plain):
        layer.build((None, 6, 6, 4))
    names = {weight.name for weight in plain.trainable_weights}
    assert not names & {"scale", "offset"}
    norms = [layer for layer in plain._flatten_layers() if isinstance(layer, BatchNorm)]
    assert len(plain.non_trainable_weights) == 2 * len(norms)
    scales = len(affine.trainable_weights) - len(plain.trainable_weights)
    if kind in ("max_pool_3x3", "avg_pool_3x3"):
        assert norms
        assert not affine.weights
    else:
        assert scales == 2 * len(norms)


@pytest.mark.parametrize("way", ["functional", "sequential"])
@pytest.mark.parametrize(("kind", "stride"), LAYERS)
def test_in_a_keras_model(kind, stride, way, tmp_path):
    # A non-affine one, with all the batch norms that there can be.
    layer = make(kind, stride, affine=False, name="operation")
    entry = keras.Input((6, 5, 4))
    if way == "functional":
        model = keras.Model(entry, layer(entry))
    else:
        model = keras.Sequential([entry, layer])
    randomize(layer)
    inputs = tf.constant(images(6, 5), tf.float32)
    outputs = model(inputs, training=False)
    assert outputs.shape[1:] == model.output_shape[1:]
    np.testing.assert_array_equal(outputs, layer(inputs))
    file = tmp_path / "model.keras"
    model.save(file)
    loaded = keras.models.load_model(file, custom_objects={type(layer).__name__: type(layer)})
    np.testing.assert_array_equal(loaded(inputs, training=False), outputs)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("stride", [0, 3])
def test_bad_strides(name, stride):
    with pytest.raises(UserError, match=f"stride {stride}"):
        make_operation(name, 4, stride=stride)


def test_a_reduction_needs_even_channels_and_stride_2():
    with pytest.raises(UserError, match="3 channels"):
        FactorizedReduction(3)
    with pytest.raises(UserError, match="stride 1"):
        FactorizedReduction(4, stride=1)
    with pytest.raises(UserError, match="5 channels"):
        make_operation("skip_connect", 5, stride=2)
    with pytest.raises(UserError, match="channels is -2; a reduction needs at least 1"):
        FactorizedReduction(-2)


def test_unknown_names():
    sentence = r"There is no operation 'sep_conv_4x4' \(did you mean .*\?\); give one of none, max_"
    with pytest.raises(UserError, match=sentence):
        make_operation("sep_conv_4x4", 4)
    with pytest.raises(UserError, match="There is no operation 3; give one of"):
        make_operation(3, 4)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("channels", [-1, 0, "four", None])
def test_channels_that_cannot_be(name, channels):
    with pytest.raises(UserError, match=f"channels is {channels!r}; an operation needs at least 1"):
        make_operation(name, channels)
