"""Noise: whose seed it draws by, in an operation, a supernet, a derived network and a search."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.cells.space import find_space
from tf_darts.cells.topology import CellTopology
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork, ImageClassification
from tf_darts.spaces.convolutional.operations.noise import Noise
from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.draws import current_seed, drawn_by
from tf_darts.testing import check_operation, check_supernet

IMAGES = tf.constant(np.random.default_rng(0).standard_normal((3, 7, 5, 4)), tf.float32)
SEED = tf.constant([5, 6])


def drawn(layer, seed=SEED, images=IMAGES):
    with drawn_by(seed):
        return layer(images, training=True).numpy()


def test_it_is_an_operation_like_others():
    check_operation("noise")


@pytest.mark.parametrize("stride", [1, 2])
def test_no_gradient_passes_and_stride_halves(stride):
    layer = Noise(stride=stride, seed=1)
    with tf.GradientTape() as tape, drawn_by(SEED):
        tape.watch(IMAGES)
        outputs = layer(IMAGES, training=True)
        total = tf.reduce_sum(outputs**2)
    gradient = tape.gradient(total, IMAGES, unconnected_gradients="zero")
    assert outputs.shape == (3, -(-7 // stride), -(-5 // stride), 4)
    assert np.all(gradient.numpy() == 0.0)


def test_the_same_seed_draws_the_same_and_nothing_else_does():
    layer, other = Noise(seed=1), Noise(seed=2)
    noise = drawn(layer)
    np.testing.assert_array_equal(drawn(layer), noise)
    np.testing.assert_array_equal(drawn(layer, images=IMAGES * 2 + 1), noise)
    for another in (drawn(other), drawn(layer, tf.constant([5, 7]))):
        assert np.abs(noise - another).max() > 0.1
    images = [layer(IMAGES, training=True).numpy() for _ in range(2)]  # nobody says a seed
    assert np.abs(images[0] - images[1]).max() > 0.1 and current_seed() is None
    assert np.abs(noise[0] - noise[1]).max() > 0.1, "two images of a batch"


def test_it_is_normal():
    noise = drawn(Noise(seed=1), images=tf.zeros([50, 20, 20, 5]))
    count = noise.size
    assert abs(noise.mean()) < 4 / np.sqrt(count)
    assert abs(noise.var() - 1) < 4 * np.sqrt(2 / count)


def test_in_evaluation_it_is_fixed_and_no_less():
    layer = Noise(seed=1)
    noise = layer(tf.zeros([2, 30, 30, 20])).numpy()
    np.testing.assert_array_equal(noise[0], noise[1])
    with drawn_by(SEED):
        np.testing.assert_array_equal(layer(tf.ones([2, 30, 30, 20])), noise)
    count = noise[0].size
    assert abs(noise.var() - 1) < 4 * np.sqrt(2 / count)
    assert np.abs(Noise(seed=2)(tf.zeros([2, 30, 30, 20])) - noise).max() > 0.1


def test_it_is_as_wide_as_what_comes_in():
    for dtype in ("float16", "bfloat16"):
        layer, images = Noise(seed=1, autocast=False), tf.cast(IMAGES, dtype)
        assert layer(images).dtype == dtype
        with drawn_by(SEED):
            assert layer(images, training=True).dtype == dtype


def dense(gradients):
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def small_supernet(nodes=1, layers=3, rematerialize=False):
    topology = CellTopology(2, nodes, 2, ("noise", "sep_conv_3x3"))
    model = RelaxedImageClassifier(
        3,
        channels=2,
        layers=layers,
        seed=0,
        topologies=dict.fromkeys(("normal", "reduce"), topology),
    )
    return ConvolutionalSupernet(model, (6, 6, 1), rematerialize)


def images_and_labels():
    return np.random.default_rng(0).standard_normal((4, 6, 6, 1)), np.arange(4) % 3


def noises(supernet):
    edges = [edge for cell in supernet.model.cells for edge in cell.edges]
    return [edge.operations["noise"] for edge in edges]


def test_every_edge_of_every_cell_draws_apart():
    numbers = [layer.seed for layer in noises(small_supernet(nodes=2, layers=5))]
    assert len(set(numbers)) == len(numbers) == 25


@pytest.mark.slow
def test_a_supernet_with_noise_is_a_supernet(float64):
    check_supernet(small_supernet(), images_and_labels(), random_masks=True)


@pytest.mark.slow
def test_cells_that_are_computed_again_draw_again_the_same(float64):
    images, labels = images_and_labels()

    def gradient(supernet, weights, mixing, seed):
        with tf.GradientTape() as tape:
            tape.watch([*weights, *mixing.values()])
            loss = supernet.loss(weights, mixing, (tf.constant(images), labels), (), seed).loss
        return dense(tape.gradient(loss, [*weights, *mixing.values()]))

    supernet = small_supernet()
    weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
    mixing = {kind: tf.fill([2, 2], tf.constant(0.5, tf.float64)) for kind in supernet.cells}
    plain = gradient(supernet, weights, mixing, SEED)
    supernet.model.rematerialize = True
    again = tf.function(lambda *arguments: gradient(supernet, *arguments), autograph=False)
    for one, other in zip(plain, again(weights, mixing, SEED), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


def test_a_step_s_losses_draw_by_the_step_s_seeds(eagerly, float64, monkeypatch):
    """w, w⁺ and w⁻ with the same noise; the other losses, and the next step, with other."""
    seen, call = [], Noise.call

    def recording(layer, inputs, training=False):
        result = call(layer, inputs, training)
        seen.append(result.numpy() if training else None)
        return result

    monkeypatch.setattr(Noise, "call", recording)
    supernet = small_supernet()
    config = dataclasses.replace(find_space("convolutional").search, batch_size=4)
    step = BilevelStep(supernet, config)  # finite differences
    images, labels = images_and_labels()
    batch = tf.constant(images), tf.constant(labels, tf.int32)
    layers, losses = len(noises(supernet)), []
    for _ in range(2):
        seen.clear()
        step(batch, batch, 0.1)
        assert len(seen) == 5 * layers  # w, w', w+, w-; the real step
        first, validation, plus, minus, real = (
            np.concatenate([noise.ravel() for noise in seen[start : start + layers]])
            for start in range(0, len(seen), layers)
        )
        np.testing.assert_array_equal(plus, first)
        np.testing.assert_array_equal(minus, first)
        losses += [first, validation, real]
    for i, one in enumerate(losses):
        assert all(np.abs(one - other).mean() > 0.5 for other in losses[:i])


def noisy_cell():
    node = ((("noise", 0), ("sep_conv_3x3", 1)),)
    return ConvolutionalGenotype(node, (2,), node, (2,))


def test_a_derived_network_draws_by_its_training_s_seed(eagerly):
    def training(seed, rematerialize=False):
        model = CifarNetwork(noisy_cell(), 3, channels=4, layers=3, auxiliary=False, seed=1)
        objective = ImageClassification(
            model, (6, 6, 1), auxiliary_weight=0.0, rematerialize=rematerialize
        )
        images, labels = images_and_labels()
        weights = [weight.value for weight in objective.weights]
        with tf.GradientTape() as tape:
            batch = tf.constant(images, tf.float32), labels
            loss = objective.loss(batch, (), tf.constant(seed), tf.constant(0.0)).loss
        return [loss, *dense(tape.gradient(loss, weights, unconnected_gradients="zero"))]

    first = training([1, 2])
    for again in (training([1, 2]), training([1, 2], rematerialize=True)):
        for ours, theirs in zip(first, again, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert float(first[0]) != float(training([1, 3])[0])


def test_a_model_says_the_same_of_an_image_and_learns_under_other_noise():
    model = CifarNetwork(noisy_cell(), 3, channels=4, layers=3, auxiliary=False)
    images = tf.constant(images_and_labels()[0], tf.float32)
    np.testing.assert_array_equal(model(images), model(images))
    assert np.abs(model(images, training=True) - model(images, training=True)).max() > 0
    copy = CifarNetwork.from_config(model.get_config())
    copy.build(images.shape)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(images), model(images))


def test_a_search_that_goes_on_draws_as_if_it_had_never_stopped(eagerly, tmp_path):
    changes = {"batch_size": 4, "seed": 3, "hypergradient": "first_order"}
    config = dataclasses.replace(find_space("convolutional").search, **changes)
    images, labels = images_and_labels()
    batch = tf.constant(images, tf.float32), tf.constant(labels, tf.int32)

    def losses(step, count):
        taken = [step(batch, batch, 0.1) for _ in range(count)]
        return [(found["train"]["loss"], found["validation"]["loss"]) for found in taken]

    whole = BilevelStep(small_supernet(), config)
    wanted = losses(whole, 3)
    first = BilevelStep(small_supernet(), config)
    begun = losses(first, 1)
    path = tf.train.Checkpoint(**first.variables).write(str(tmp_path / "checkpoint"))
    second = BilevelStep(small_supernet(), config)
    tf.train.Checkpoint(**second.variables).read(path)
    assert begun + losses(second, 2) == wanted
    for name, alpha in whole.alphas.items():
        np.testing.assert_array_equal(alpha, second.alphas[name])
