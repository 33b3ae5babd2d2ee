"""Networks of derived cells as Keras models, and behind the door to their training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_darts import CifarNetwork, ImageNetNetwork
from tf_darts.cells.genotype import ConvolutionalGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.errors import UserError
from tf_darts.spaces.convolutional.derived.objective import ImageClassification

CELLS = PUBLISHED["convolutional"]
# One node a cell, with and without something that can be dropped.
TINY = ConvolutionalGenotype(
    ((("sep_conv_3x3", 0), ("skip_connect", 1)),),
    (2,),
    ((("max_pool_3x3", 0), ("skip_connect", 1)),),
    (2,),
)
SEED = tf.constant([1, 2])


def tiny(kind=CifarNetwork, classes=4, auxiliary=False, seed=1, **settings):
    return kind(TINY, classes, channels=4, layers=3, auxiliary=auxiliary, seed=seed, **settings)


def batch(pixels=8, size=6, classes=4, dtype="float32"):
    rng = np.random.default_rng(0)
    images = tf.constant(rng.standard_normal((size, pixels, pixels, 3)), dtype)
    return images, tf.constant(rng.integers(classes, size=size), tf.int32)


def values(variables):
    return [np.asarray(variable) for variable in variables]


def same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("kind", "pixels"), [(CifarNetwork, 32), (ImageNetNetwork, 193)])
def test_every_published_cell_trains(kind, pixels, cell):
    model = kind(CELLS[cell], classes=5, channels=4, layers=3, drop_path=0.3)
    images, _ = batch(pixels, size=2)
    assert model(images).shape == (2, 5)
    with tf.GradientTape() as tape:
        heads = model.heads(images, training=True)
        total = tf.add_n([tf.reduce_sum(tf.sin(logits)) for logits in heads])
    assert [logits.shape for logits in heads] == [(2, 5), (2, 5)]
    gradients = tape.gradient(total, [w.value for w in model.trainable_variables])
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


def test_the_network_is_its_parts(float64):
    model = tiny(auxiliary=True)
    images, _ = batch(32, dtype="float64")
    heads = model.heads(images)
    same([heads.logits], [model(images)])
    stem = model.stem.convolutions[0]
    value = stem.norm(tf.nn.conv2d(images, tf.convert_to_tensor(stem.kernel), 1, "SAME"))
    outputs = [value, value]
    for cell in model.cells:
        outputs.append(cell(outputs[-2:]))
    assert [cell.reduction for cell in model.cells] == [False, True, True]
    assert [cell.reduction_before for cell in model.cells] == [False, False, True]
    features = outputs[-1].numpy().mean(axis=(1, 2))
    logits = features @ model.classifier.kernel.numpy() + model.classifier.bias.numpy()
    np.testing.assert_allclose(heads.logits, logits, rtol=1e-10, atol=1e-12)
    # The head: on the third cell's 8×8 pixels.
    head, value = model.auxiliary_head, np.maximum(outputs[-1].numpy(), 0)
    windows = [value[:, i : i + 5, j : j + 5].mean(axis=(1, 2)) for i in (0, 3) for j in (0, 3)]
    middle = [np.maximum(eval_norm(w @ head.middle_kernel, head.middle_norm), 0) for w in windows]
    kernel = head.kernel.numpy().reshape(4, 128, 768)
    last = sum(value @ weights for value, weights in zip(middle, kernel, strict=True))
    last = np.maximum(eval_norm(last, head.norm), 0)
    logits = last @ head.classifier.kernel.numpy() + head.classifier.bias.numpy()
    np.testing.assert_allclose(heads.auxiliary, logits, rtol=1e-10, atol=1e-12)


def eval_norm(value, layer):
    """Before any training, but for the constant in the root."""
    return value / np.sqrt(1.0 + 1e-5) * layer.scale.numpy() + layer.offset.numpy()


def test_larger_images_are_averaged_in_the_auxiliary_head():
    model = tiny(auxiliary=True)
    assert model.heads(batch(48)[0]).auxiliary.shape == (6, 4)


def test_drop_path_has_a_seed():
    model = tiny(seed=1)
    images, _ = batch()
    model(images)

    def logits(seed=SEED, rate=0.5, training=True):
        return model(images, training=training, seed=seed, drop_path=rate).numpy()

    same([logits()], [logits()])
    assert np.any(logits() != logits(SEED + 1))
    assert np.any(logits() != logits(rate=0.0))
    np.testing.assert_allclose(
        logits(rate=tf.constant(0.0)), logits(rate=0.0), rtol=1e-5, atol=1e-6
    )
    same([logits(training=False)], [logits(SEED + 1, 0.9, training=False)])


def test_drop_path_without_a_seed_moves_on():
    images, _ = batch()
    model, again = (tiny(drop_path=0.5) for _ in range(2))
    first, second = (model(images, training=True).numpy() for _ in range(2))
    assert np.any(first != second)
    same([first], [again(images, training=True)])


@pytest.mark.long
def test_fit():
    model = tiny(auxiliary=True, drop_path=0.2)
    images, labels = batch(32, size=16)
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    assert not model.jit_compile
    model.build(images.shape)
    before = values(model.trainable_variables)
    keras.utils.set_random_seed(1)  # of the shuffling and the dropped paths
    history = model.fit(images, labels, batch_size=8, epochs=8, verbose=0).history
    assert min(history["loss"][1:]) < history["loss"][0]
    after = values(model.trainable_variables)
    assert all(np.any(old != new) for old, new in zip(before, after, strict=True))
    loss, accuracy = model.evaluate(images, labels, verbose=0)
    logits = model.predict(images, verbose=0)
    assert logits.shape == (16, 4)
    assert accuracy == pytest.approx(np.mean(logits.argmax(-1) == labels))
    assert loss == pytest.approx(np.mean(cross_entropies(logits, labels)), rel=1e-4)


def test_as_a_layer_of_another_model():
    network = tiny()
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(0.5), network])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(*batch(), verbose=0)


@pytest.mark.parametrize("kind", [CifarNetwork, ImageNetNetwork])
def test_saved_and_loaded(kind, tmp_path):
    model = tiny(kind, drop_path=0.1)
    images, _ = batch(32)
    model(images, training=True)
    file = tmp_path / "model.keras"
    model.save(file)
    loaded = keras.models.load_model(file)
    assert type(loaded) is kind
    assert loaded.genotype == model.genotype
    same(values(loaded.weights), values(model.weights))
    same([loaded(images)], [model(images)])


@pytest.mark.parametrize("kind", [CifarNetwork, ImageNetNetwork])
def test_configurations_go_round(kind):
    model = tiny(kind, auxiliary=True, drop_path=0.1)
    again = kind.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    for one in (model, again):
        one.build((None, 224, 224, 3))
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    same(values(again.weights), values(model.weights))
    kernels = [w for w in model.trainable_variables if w.ndim > 1]
    assert len({np.ravel(kernel)[:4].tobytes() for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(genotype=PUBLISHED["recurrent"]["darts_v2"]), "RecurrentGenotype"),
        (dict(genotype="darts_v2"), "cannot be made of a str; give it a convolutional genotype"),
        (dict(classes=0), "classes is 0"),
        (
            dict(classes="ten"),
            "classes is 'ten'; an image network needs at least 1, a whole number",
        ),
        (dict(classes=2.5), r"classes is 2\.5"),
        (dict(channels=-2), "channels is -2"),
        (dict(layers=0), "layers is 0"),
        (dict(channels=5), "channels is 5"),
        (dict(drop_path=1.5), r"drop_path is 1\.5"),
        (dict(drop_path="a"), "drop_path is 'a'"),
    ],
)
def test_settings_that_make_no_network(settings, message):
    with pytest.raises(UserError, match=message):
        CifarNetwork(**{"genotype": TINY, "classes": 3} | settings)


@pytest.mark.parametrize(("kind", "least"), [(CifarNetwork, 29), (ImageNetNetwork, 193)])
def test_images_too_small_for_the_auxiliary_head(kind, least):
    with pytest.raises(UserError, match=f"{least - 1}×{least - 1}.*at least {least}×{least}"):
        tiny(kind, auxiliary=True)(batch(least - 1)[0])
    tiny(kind, auxiliary=True).build((None, least, least, 3))
    assert tiny(kind)(batch(least - 1)[0]).shape == (6, 4)


def test_images_of_unknown_size():
    with pytest.raises(UserError, match="resize the images"):
        tiny().build((None, None, None, 3))


def cross_entropies(logits, labels, smoothing=0.0):
    """Of each example, with a share of the label spread evenly over all classes."""
    logits = np.asarray(logits, "float64")
    logs = logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))
    targets = np.full(logits.shape, smoothing / logits.shape[1])
    targets[np.arange(len(labels)), np.asarray(labels)] += 1 - smoothing
    return -(targets * logs).sum(axis=-1)


@pytest.mark.parametrize(("smoothing", "auxiliary"), [(0.0, False), (0.1, True)])
def test_the_training_loss(smoothing, auxiliary, float64):
    model = tiny(classes=12, auxiliary=auxiliary)
    network = ImageClassification(
        model,
        (32, 32, 3),
        auxiliary_weight=0.3,
        label_smoothing=smoothing,
        drop_path=0.4,
        top5=True,
    )
    images, labels = data = batch(32, classes=12, dtype="float64")
    before = values(network.statistics)
    result = network.loss(data, (), SEED, tf.constant(0.5, tf.float64))
    after = values(network.statistics)
    assert all(np.any(old != new) for old, new in zip(before, after, strict=True))
    heads = model.heads(images, training=True, seed=SEED, drop_path=0.2)
    wanted = cross_entropies(heads.logits, labels, smoothing).mean()
    if auxiliary:
        wanted += 0.3 * cross_entropies(heads.auxiliary, labels, smoothing).mean()
    assert float(result.loss) == pytest.approx(wanted, rel=1e-9)
    assert result.means.keys() == set(network.measures) == {"loss", "accuracy", "top5"}
    plain = cross_entropies(heads.logits, labels).mean()
    assert float(result.means["loss"]) == pytest.approx(plain, rel=1e-9)
    order = np.argsort(-heads.logits.numpy(), axis=-1)
    for name, among in (("accuracy", 1), ("top5", 5)):
        right = [label in row[:among] for row, label in zip(order, labels.numpy(), strict=True)]
        assert float(result.means[name]) == pytest.approx(np.mean(right))
    assert result.state == () == network.initial_state(6)


def test_running_statistics_move_as_in_a_call():
    """Once each, though they are moved together."""
    one, other = (tiny(seed=2) for _ in range(2))
    images, labels = batch()
    network = ImageClassification(one, (8, 8, 3))
    network.loss((images, labels), (), SEED, tf.constant(0.0))
    other(images, training=True)
    statistics = ImageClassification(other, (8, 8, 3)).statistics
    for ours, theirs in zip(network.statistics, statistics, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_evaluation_adds_up():
    network = ImageClassification(tiny(auxiliary=False, drop_path=0.5), (8, 8, 3), drop_path=0.5)
    images, labels = batch()
    before = values(network.statistics)
    whole = network.evaluation_sums((images, labels), ())
    same(values(network.statistics), before)
    assert float(whole.count) == 6
    logits = network.model(images)
    wanted = cross_entropies(logits, labels).sum()
    assert float(whole.totals["loss"]) == pytest.approx(wanted, rel=1e-5)
    assert whole.totals.keys() == {"loss", "accuracy"}
    halves = slice(2), slice(2, None)
    parts = [network.evaluation_sums((images[p], labels[p]), ()) for p in halves]
    added = sum(float(part.totals["loss"]) for part in parts)
    assert added == pytest.approx(wanted, rel=1e-5)


def test_scores_are_per_cent():
    network = ImageClassification(tiny(classes=10), (8, 8, 3), top5=True)
    means = {"loss": 1.5, "accuracy": 0.25, "top5": 0.75}
    assert network.scores(means) == {"loss": 1.5, "accuracy": 25.0, "top5": 75.0}
    assert (network.score, network.score_mode) == ("accuracy", "max")
    assert all("float" in variable.dtype for variable in network.statistics)


def test_top5_needs_classes():
    with pytest.raises(UserError, match="top5 with 4 classes"):
        ImageClassification(tiny(), (8, 8, 3), top5=True)


def test_a_graph_with_batches_of_any_size(float64):
    network = ImageClassification(tiny(), (8, 8, 3), drop_path=0.3)

    def gradients(batch, seed, progress):
        with tf.GradientTape() as tape:
            result = network.loss(batch, (), seed, progress)
        return [result.loss, *tape.gradient(result.loss, network.weights)]

    scalar = tf.TensorSpec([], tf.float64)
    signature = [network.batch_signature, tf.TensorSpec([2], tf.int32), scalar]
    graph = tf.function(gradients, input_signature=signature, autograph=False)
    for size in (4, 7):
        arguments = (batch(size=size, dtype="float64"), SEED, tf.constant(1.0, tf.float64))
        for one, other in zip(graph(*arguments), gradients(*arguments), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


def test_counts_say_what_they_count():
    network = ImageClassification(tiny(auxiliary=True), (32, 32, 3))
    counts = network.counts()
    head = set(map(id, network.model.auxiliary_head.trainable_variables))
    weights = [w for w in network.model.trainable_variables if id(w) not in head]
    assert counts["weights"] == sum(int(np.prod(w.shape)) for w in weights)
    assert len(counts) == 2
