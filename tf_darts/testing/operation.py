"""Whether a layer is an operation of the convolutional space."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.errors import told
from tf_darts.spaces.convolutional.derived.counts import layer_parts
from tf_darts.spaces.convolutional.operations.base import Operation
from tf_darts.spaces.convolutional.operations.batch_norm import StatisticsLedger
from tf_darts.spaces.convolutional.operations.registry import OPERATIONS, make_operation
from tf_darts.testing.accelerated import Case
from tf_darts.testing.comparison import differ, expect, expect_equal, float64, unchanged
from tf_darts.testing.derivatives import random
from tf_darts.testing.differences import check_gradient, check_influence

SIZES = ((6, 6), (7, 5))
BATCH = 3
Maker = Callable[..., Operation]  # of stride=, affine=, seed= and Keras' keywords


def check_operation(operation: str | Maker, *, channels: int = 4) -> None:
    """Tries an operation as searches and trainings use it: a few seconds.

    Checked at both strides, with and without affine norms: shapes, counts, initial weights by the
    seed, evaluation example by example, running statistics, gradients of both orders in float64,
    the configuration and the type.

    Args:
      operation: a name that the registry knows, or what `add_operation` takes: a class, or anything
        that makes the layer of `stride=, affine=, seed=` and the keywords of Keras' layers.
      channels: C of the images; even.

    Raises:
      AssertionError: one sentence that names the operation and what failed.
    """
    if isinstance(operation, str):
        name = operation
        expect(name in OPERATIONS, f"There is no operation {name!r}.")

        def make(**settings: Any) -> Operation:
            return make_operation(name, channels, **settings)
    else:
        name, make = getattr(operation, "__name__", repr(operation)), operation
    for stride in (1, 2):
        for affine in (True, False):
            settings = {"stride": stride, "affine": affine}

            def make_layer(settings: dict[str, Any] = settings, **more: Any) -> Operation:
                return make(**settings, **more)

            what = f"{name} at stride {stride}" + ("" if affine else " without affine norms")
            for size in SIZES:
                shape = (BATCH, *size, channels)
                _check_shapes(make_layer, shape, stride, what)
                if affine:  # as in the networks that are counted
                    _check_counts(make_layer, shape, what)
            _check_seeds(make_layer, shape, what)
            _check_configuration(make_layer, shape, what)
            _check_types(make_layer, shape, what)
            with float64():
                _check_evaluation(make_layer, shape, what)
                _check_statistics(make_layer, shape, what)
                # Only searches, which have no affine norms, take second derivatives.
                _check_gradients(make_layer, shape, what, second=not affine)


def _built(make: Maker, shape: tuple[int, ...], seed: int = 1) -> Operation:
    layer = make(seed=seed)
    layer.build(shape)
    return layer


def _check_shapes(make: Maker, shape: tuple[int, ...], stride: int, what: str) -> None:
    batch, height, width, channels = shape
    expected = (batch, -(-height // stride), -(-width // stride), channels)
    try:
        layer = make(seed=1)
        actual = tuple(layer(random(1, *shape, dtype=layer.compute_dtype)).shape)
    except Exception as error:  # of a class that is not ours
        raise AssertionError(f"{what} cannot be made and called: {told(error)}.") from error
    expect(actual == expected, f"{what} makes {actual} of {shape}; it must make {expected}.")
    computed = tuple(layer.compute_output_shape(shape))
    expect(
        computed == expected,
        f"{what}: compute_output_shape says {computed} of {shape}, not {expected}.",
    )


def _check_counts(make: Maker, shape: tuple[int, ...], what: str) -> None:
    layer = _built(make, shape)
    # The space's own operations are counted elsewhere than in the layer.
    own = type(layer).weight_uses is Operation.weight_uses
    parts = [
        tuple(part) for part in (layer_parts if own else type(layer).weight_uses)(layer, shape)
    ]
    are_counts = all(isinstance(n, int | np.integer) and n >= 0 for part in parts for n in part)
    expect(are_counts, f"{what}: weight_uses has {parts}; counts are whole numbers, 0 or more.")
    counted = sum(weights for weights, _ in parts)
    actual = sum(math.prod(weight.shape) for weight in layer.trainable_variables)
    expect(
        counted == actual, f"{what}: weight_uses counts {counted} weights, and there are {actual}."
    )


def _check_seeds(make: Maker, shape: tuple[int, ...], what: str) -> None:
    layer, repeated, reseeded = (_built(make, shape, seed) for seed in (1, 1, 2))
    for weight, repeated_weight, reseeded_weight in zip(
        layer.weights, repeated.weights, reseeded.weights, strict=True
    ):
        sentence = f"{what}: with the same seed {weight.path!r} begins otherwise"
        expect_equal(repeated_weight, weight, sentence, tolerance=0.0)
        drawn = len(np.unique(keras.ops.convert_to_numpy(weight))) > 1
        expect(
            not drawn or differ(reseeded_weight, weight),
            f"{what}: with another seed {weight.path!r} begins as with this one.",
        )


def _check_configuration(make: Maker, shape: tuple[int, ...], what: str) -> None:
    layer = _built(make, shape)
    config = layer.get_config()
    try:
        restored = type(layer).from_config(config)
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"{what}: from_config refuses what get_config gives: {told(error)}"
        ) from None
    for name in sorted({*config, *restored.get_config()}):
        values = [settings.get(name) for settings in (config, restored.get_config())]
        expect(
            values[0] == values[1],
            f"{what}: get_config has {name}={values[0]!r}, and {values[1]!r} after from_config.",
        )
    for name in ("stride", "affine", "seed"):
        expect(name in config, f"{what}: get_config does not have {name!r}.")
    restored.build(shape)
    sentence = f"{what}: a layer of the same configuration begins otherwise"
    expect(len(restored.weights) == len(layer.weights), f"{sentence}: with other weights.")
    expect_equal(restored.weights, layer.weights, sentence)


def _check_types(make: Maker, shape: tuple[int, ...], what: str) -> None:
    for dtype in ("float32", "float64"):
        layer = make(seed=1, dtype=dtype)
        try:
            result_type = layer(random(1, *shape, dtype=dtype)).dtype.name
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise AssertionError(
                f"{what}: with dtype={dtype!r} it fails: {told(error)}."
            ) from error
        expect(result_type == dtype, f"{what}: with dtype={dtype!r} it makes {result_type}.")
        for weight in layer.weights:
            expect(
                weight.dtype in (dtype, "int32", "int64"),
                f"{what}: with dtype={dtype!r} the weight {weight.path!r} is {weight.dtype}.",
            )


def _check_evaluation(make: Maker, shape: tuple[int, ...], what: str) -> None:
    layer, images = _built(make, shape), random(2, *shape)
    with unchanged(layer.variables, f"{what}: a call in evaluation mode"):
        batch_outputs = layer(images, training=False)
        expect_equal(
            layer(images, training=False), batch_outputs, f"{what} evaluates otherwise next time"
        )
    single_outputs = tf.concat(
        [layer(images[i : i + 1], training=False) for i in range(BATCH)], axis=0
    )
    expect_equal(
        single_outputs,
        batch_outputs,
        f"{what} evaluates an image by itself otherwise",
        tolerance=1e-9,
    )


def _check_statistics(make: Maker, shape: tuple[int, ...], what: str) -> None:
    layer, images = _built(make, shape), random(3, *shape)
    with (
        unchanged(layer.variables, f"{what}: a call in training mode, with a ledger open,"),
        StatisticsLedger() as ledger,
    ):
        layer(images, training=True)
    statistics = [v for v in layer.non_trainable_variables if "float" in v.dtype]
    for variable in statistics:
        try:
            ledger.new_statistics([variable])
        except KeyError:
            sentence = f"{what}: no ledger hears of {variable.path!r}; use tf_darts.BatchNorm."
            raise AssertionError(sentence) from None
    expected = ledger.new_statistics(statistics) if statistics else []
    layer(images, training=True)
    expect_equal(
        [variable.value for variable in statistics],
        expected,
        f"{what}: without a ledger statistics move otherwise",
        tolerance=1e-9,
    )


def _check_gradients(make: Maker, shape: tuple[int, ...], what: str, *, second: bool) -> None:
    layer = _built(make, shape)
    case = Case(layer, lambda images: layer(images, training=True), [random(4, *shape)])
    arguments = case.arguments
    upstream = random(5, *case.at(*arguments).shape)

    def value(points: list[tf.Tensor]) -> tf.Tensor:
        return tf.reduce_sum(upstream * case.at(*points))

    def derived(points: list[tf.Tensor]) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(points)
            result = value(points)
        return tape.gradient(result, points, unconnected_gradients="zero")

    slopes = derived(arguments)
    check_influence(slopes[1:], case.names[1:], what)
    check_gradient(value, arguments, slopes, case.names, what)
    if not second:
        return

    def slope(points: list[tf.Tensor]) -> tf.Tensor:
        """The gradient's part along a direction."""
        parts = enumerate(derived(points))
        return tf.add_n([tf.reduce_sum(g * random(400 + i, *g.shape)) for i, g in parts])

    with tf.GradientTape() as tape:
        tape.watch(arguments)
        result = slope(arguments)
    slopes = tape.gradient(result, arguments, unconnected_gradients="zero")
    check_gradient(slope, arguments, slopes, case.names, f"{what}, second derivatives")
