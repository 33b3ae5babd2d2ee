"""The image classifier around the cells, and the supernet made of it."""

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet

SEED = tf.constant([0, 0])  # nothing is drawn
CLASSES, NODES, IMAGE = 4, 2, (8, 8, 3)


def classifier(channels=2, layers=3, seed=1, nodes=NODES):
    return RelaxedImageClassifier(CLASSES, channels, layers, nodes=nodes, seed=seed)


def tables(dtype="float32", edges=5, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: tf.nn.softmax(tf.constant(rng.standard_normal((edges, 8)), dtype))
        for name in ("normal", "reduce")
    }


def batch(dtype="float32", size=5, shape=IMAGE):
    rng = np.random.default_rng(1)
    images = tf.constant(rng.standard_normal((size, *shape)), dtype)
    return images, tf.constant(rng.integers(CLASSES, size=size), tf.int32)


def values(variables):
    return [variable.numpy() for variable in variables]


def loss(supernet, weights, dtype="float32", mixing=None):
    return supernet.loss(weights, mixing or tables(dtype), batch(dtype), (), SEED)


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5, 6, 7, 8, 10, 20])
def test_where_the_reduction_cells_are(layers):
    model = RelaxedImageClassifier(CLASSES, channels=2, layers=layers, nodes=1)
    assert len(model.cells) == layers
    channels, before = 2, False
    for i, cell in enumerate(model.cells):
        reduction = i in (layers // 3, 2 * layers // 3)
        channels *= 2 if reduction else 1
        assert (cell.reduction, cell.reduction_before) == (reduction, before)
        assert cell.channels == channels
        before = reduction


@pytest.mark.parametrize(
    ("layers", "factor", "size"),
    [(1, 2, (8, 8)), (2, 4, (8, 6)), (3, 4, (7, 5)), (4, 4, (6, 7)), (5, 4, (8, 8))],
)
def test_shapes(layers, factor, size):
    model = classifier(layers=layers, nodes=1)
    images, _ = batch(shape=(*size, 3))
    assert model(images, tables(edges=2)).shape == (5, CLASSES)
    assert model.stem_kernel.shape == (3, 3, 3, 6)
    assert model.head_kernel.shape == (2 * factor, CLASSES)
    assert model.head_bias.shape == (CLASSES,)


def test_initial_weights_of_stem_and_head():
    model = classifier()
    model.build((None, *IMAGE))
    fans = {"stem_kernel": 27, "head_kernel": 8 * NODES, "head_bias": 8 * NODES}
    for name, fan_in in fans.items():
        largest = np.abs(getattr(model, name).numpy()).max()
        assert 0.5 * fan_in**-0.5 < largest <= fan_in**-0.5
    np.testing.assert_array_equal(model.stem_norm.scale, np.ones(6))
    affine = [w.path for w in model.trainable_variables if w.name in ("scale", "offset")]
    assert len(affine) == 2, "only the stem's batch norm is affine in the search"


def test_the_same_seed_gives_the_same_network():
    model = classifier(seed=3, nodes=1)
    again = RelaxedImageClassifier.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    other = classifier(seed=4, nodes=1)
    for one in (model, again, other):
        one.build((None, *IMAGE))
    for one, same in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, same)
    kernels = [w for one in (model, other) for w in one.weights if "kernel" in w.name]
    assert len({kernel.numpy().ravel()[:4].tobytes() for kernel in kernels}) == len(kernels)


@pytest.mark.slow
def test_the_paper_s_model_has_1_930_618_weights():
    supernet = ConvolutionalSupernet(RelaxedImageClassifier(classes=10), (32, 32, 3))
    assert sum(int(np.prod(weight.shape)) for weight in supernet.weights) == 1_930_618
    assert {name: cell.edges for name, cell in supernet.cells.items()} == {
        "normal": 14,
        "reduce": 14,
    }


@pytest.mark.slow
def test_the_supernet_is_a_function():
    supernet = ConvolutionalSupernet(classifier(), IMAGE)
    weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
    before = values([*supernet.weights, *supernet.statistics])
    first, second = loss(supernet, weights), loss(supernet, weights)
    assert float(first.loss) == float(second.loss) == float(first.means["loss"])
    for one, other in zip(first.statistics, second.statistics, strict=True):
        np.testing.assert_array_equal(one, other)
    assert float(loss(supernet, [1.1 * weight for weight in weights]).loss) != float(first.loss)
    assert float(loss(supernet, weights, mixing=tables(seed=1)).loss) != float(first.loss)
    after = values([*supernet.weights, *supernet.statistics])
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    # The statistics come back as values: those that a call in training would have assigned.
    supernet.model(batch()[0], tables(), training=True)
    for value, variable in zip(first.statistics, supernet.statistics, strict=True):
        assert value.shape == variable.shape
        np.testing.assert_allclose(value, variable, rtol=1e-5, atol=1e-6)


def test_a_graph_gives_the_same_as_eager_execution(float64):
    supernet = ConvolutionalSupernet(classifier(layers=1, nodes=1), IMAGE)
    weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
    mixing = tables("float64", edges=2)

    def gradients(weights, mixing, batch):
        with tf.GradientTape() as tape:
            tape.watch([weights, mixing])
            result = supernet.loss(weights, mixing, batch, (), SEED)
        by_weights, by_mixing = tape.gradient(
            result.loss, [weights, mixing], unconnected_gradients="zero"
        )
        by_mixing = [tf.convert_to_tensor(gradient) for gradient in by_mixing.values()]
        return [result.loss, *by_weights, *by_mixing, *result.statistics]

    eager = gradients(weights, mixing, batch("float64"))
    signature = [
        [tf.TensorSpec(weight.shape, weight.dtype) for weight in weights],
        {name: tf.TensorSpec(table.shape, table.dtype) for name, table in mixing.items()},
        supernet.batch_signature,
    ]
    graph = tf.function(gradients, input_signature=signature, autograph=False)
    for one, other in zip(graph(weights, mixing, batch("float64")), eager, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def sums(logits, labels):
    """Cross-entropies and right answers, one prediction at a time."""
    cross_entropy, right = 0.0, 0
    for row, label in zip(np.asarray(logits, "float64"), np.asarray(labels), strict=True):
        cross_entropy += np.log(np.sum(np.exp(row - row.max()))) - (row[label] - row.max())
        right += int(np.argmax(row) == label)
    return cross_entropy, right


def test_what_a_batch_measures():
    supernet = ConvolutionalSupernet(classifier(), IMAGE)
    images, labels = batch(size=9)
    weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
    result = supernet.loss(weights, tables(), (images, labels), (), SEED)
    cross_entropy, right = sums(supernet.model(images, tables(), training=True), labels)
    assert result.means.keys() == set(supernet.measures)
    assert float(result.loss) == pytest.approx(cross_entropy / 9, rel=1e-5)
    assert float(result.means["accuracy"]) == pytest.approx(right / 9, rel=1e-6)
    assert result.state == () == supernet.initial_state(9)


@pytest.mark.slow
def test_evaluation_sums_over_predictions():
    supernet = ConvolutionalSupernet(classifier(), IMAGE)
    images, labels = batch(size=9)
    supernet.model(images, tables(), training=True)  # moves the statistics
    before = values(supernet.statistics)
    results = [
        supernet.evaluation_sums(tables(), (images[part], labels[part]), ())
        for part in (slice(None), slice(4), slice(4, None))
    ]
    for old, variable in zip(before, supernet.statistics, strict=True):
        np.testing.assert_array_equal(old, variable)
    cross_entropy, right = sums(supernet.model(images, tables()), labels)
    whole, *parts = results
    assert float(whole.count) == 9
    assert float(whole.totals["loss"]) == pytest.approx(cross_entropy, rel=1e-5)
    assert float(whole.totals["accuracy"]) == right
    # Nothing comes from the rest of the batch, so parts add up.
    for name, total in whole.totals.items():
        added = sum(float(part.totals[name]) for part in parts)
        assert added == pytest.approx(float(total), rel=1e-5)


def test_scores_are_per_cent():
    supernet = ConvolutionalSupernet(classifier(layers=1), IMAGE)
    scores = supernet.scores({"loss": 1.5, "accuracy": 0.25})
    assert scores == {"loss": 1.5, "accuracy": 25.0}
    assert supernet.score in scores
    assert supernet.score_mode == "max"


def test_right_answers_are_counted():
    """With a head that gives class 2 for every image."""
    supernet = ConvolutionalSupernet(classifier(layers=1), IMAGE)
    supernet.model.head_kernel.assign(tf.zeros_like(supernet.model.head_kernel))
    supernet.model.head_bias.assign([0.0, 0.0, 3.0, 0.0])
    images = batch(size=3)[0]
    totals = supernet.evaluation_sums(tables(), (images, tf.constant([2, 0, 2])), ()).totals
    assert float(totals["accuracy"]) == 2
    logs = np.log(np.exp(3.0) + 3.0)
    assert float(totals["loss"]) == pytest.approx(3 * logs - 6, rel=1e-5)


@pytest.mark.slow
def test_gradients_are_slopes(float64):
    """Of single weights of every part, and of the mixing, by central differences."""
    supernet = ConvolutionalSupernet(classifier(), IMAGE)
    weights = [tf.convert_to_tensor(weight) for weight in supernet.weights]
    mixing = tables("float64")
    with tf.GradientTape() as tape:
        tape.watch([weights, mixing])
        value = loss(supernet, weights, "float64", mixing).loss
    by_weights, by_mixing = tape.gradient(value, [weights, mixing])
    radius = 1e-6

    def slope(at):
        ahead, behind = (loss(supernet, *at(step)).loss for step in (radius, -radius))
        return float(ahead - behind) / (2 * radius)

    names = [weight.path for weight in supernet.weights]
    endings = (
        "stem_kernel",
        "stem_norm/offset",
        "cell_0/input_0/kernel",
        "cell_1/edge_0_2/skip_connect/odd_kernel",
        "cell_2/edge_2_3/sep_conv_5x5/first/depthwise_kernel",
        "cell_2/edge_1_3/dil_conv_3x3/pointwise_kernel",
        "head_bias",
    )
    for ending in endings:
        (i,) = [i for i, name in enumerate(names) if name.endswith(ending)]
        flat = np.ravel(by_weights[i])
        place = int(np.argmax(np.abs(flat)))
        one = np.zeros(flat.shape)
        one[place] = 1.0
        direction = tf.constant(one.reshape(by_weights[i].shape))

        def at(step, i=i, direction=direction):
            moved = [w + step * direction if k == i else w for k, w in enumerate(weights)]
            return moved, "float64", mixing

        assert flat[place] == pytest.approx(slope(at), rel=1e-5), ending
    for name in mixing:
        direction = tf.constant(np.random.default_rng(5).standard_normal(mixing[name].shape))

        def at(step, name=name, direction=direction):
            return weights, "float64", mixing | {name: mixing[name] + step * direction}

        along = float(tf.reduce_sum(by_mixing[name] * direction))
        assert along == pytest.approx(slope(at), rel=1e-5), name
