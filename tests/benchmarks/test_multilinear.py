"""The multilinear extension: values, exact gradients, and searches of α alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support import toy_table
from tf_darts.benchmarks.multilinear import MultilinearExtension
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.relaxation import beginning
from tf_darts.config import methods
from tf_darts.spaces.nasbench201 import strings
from tf_darts.spaces.nasbench201.space import NASBENCH201

SHAPE = (5,) * 6


@pytest.fixture(scope="module")
def table():
    values = [toy_table.scores(a)["cifar10"] for a in strings.all_architectures()]
    return np.array(values).reshape(SHAPE)


def drawn(seed):
    return np.random.default_rng(seed).dirichlet(np.ones(5), 6)


def test_one_hot_rows_have_the_table_s_score(table):
    extension = MultilinearExtension(table)
    for place in ((3, 3, 3, 1, 3, 3), (0, 0, 0, 0, 0, 0), (4, 0, 1, 2, 3, 1)):
        assert extension.value(np.eye(5)[list(place)]) == pytest.approx(table[place], abs=1e-12)


def test_the_value_is_the_sum_over_all_cells(table):
    mixing = drawn(0)
    products = np.einsum("a,b,c,d,e,f->abcdef", *mixing)
    extension = MultilinearExtension(table)
    assert extension.value(mixing) == pytest.approx(np.sum(products * table), rel=1e-12)
    assert extension.value(np.full((6, 5), 0.2)) == pytest.approx(table.mean(), rel=1e-12)


def test_gradients_are_exact(table):
    """Differences of a function that is linear in each row have no error but rounding."""
    extension, mixing = MultilinearExtension(table), 3.0 * drawn(1) - 0.4
    gradient = extension.gradient(mixing)
    for edge in range(6):
        for column in range(5):
            moved = np.array(mixing)
            moved[edge, column] += 1.0
            difference = extension.value(moved) - extension.value(mixing)
            assert gradient[edge, column] == pytest.approx(difference, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_the_objective_in_tensorflow_is_the_same(table, dtype, tolerance):
    extension, mixing = MultilinearExtension(table), drawn(2)
    tensor = tf.constant(mixing, dtype)
    compiled = tf.function(extension, autograph=False)
    direction = drawn(3)
    with tf.GradientTape() as outer:
        outer.watch(tensor)
        with tf.GradientTape() as inner:
            inner.watch(tensor)
            value = compiled(tensor)
        gradient = inner.gradient(value, tensor)
        product = tf.reduce_sum(gradient * tf.constant(direction, dtype))
    second = outer.gradient(product, tensor)
    assert value.dtype == dtype
    np.testing.assert_allclose(value, extension.value(mixing), rtol=tolerance)
    np.testing.assert_allclose(gradient, extension.gradient(mixing), rtol=10 * tolerance)
    # f is linear in each row: its Hessian by a direction is gradients with that row put in.
    wanted = np.zeros((6, 5))
    for edge in range(6):
        moved = np.array(mixing)
        moved[edge] = direction[edge]
        wanted += np.where(np.arange(6)[:, None] == edge, 0.0, extension.gradient(moved))
    np.testing.assert_allclose(second, wanted, rtol=20 * tolerance)


def ascended(extension, relaxation, steps, rate=0.2, seed=0):
    """The reading after a search of α alone: Adam on f of the relaxation's mixing weights."""
    part = methods.find_parts("relaxation", relaxation)[0]()
    part = part.of(SearchFacts(NASBENCH201.topologies, steps))
    alphas = part.variables(NASBENCH201.topologies, 1e-3, seed)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build([*alphas.values()])

    @tf.function(autograph=False)
    def gradients(moment_seed, progress):
        moment = beginning()._replace(seed=moment_seed, progress=progress, ramp=progress)
        with tf.GradientTape() as tape:
            values = {name: tf.convert_to_tensor(alpha) for name, alpha in alphas.items()}
            tape.watch(values)
            loss = -extension(part.mixing(values, moment)["cell"])
        slopes = tape.gradient(loss, values, unconnected_gradients="zero")
        return [slopes[name] for name in alphas]

    for step in range(steps):
        progress = tf.constant(step / steps, keras.config.floatx())
        optimizer.apply(gradients(tf.constant([seed, step]), progress), [*alphas.values()])
    reading = part.reading({n: tf.convert_to_tensor(a) for n, a in alphas.items()}, beginning())
    return reading["cell"].numpy()


# Where the ascent of each relaxation ends; those not named here end at the best cell.
ELSEWHERE = {"sigmoid", "uniform"}


@pytest.mark.parametrize("relaxation", sorted(methods.parts("relaxation").keys() - ELSEWHERE))
def test_relaxations_find_the_known_optimum(float64, table, relaxation):
    """Unlike the marginals: their argmax is another cell."""
    extension = MultilinearExtension(table)
    optimum = np.unravel_index(table.argmax(), SHAPE)
    marginals = tuple(extension.gradient(np.full((6, 5), 0.2)).argmax(1))
    assert table[marginals] < table.max()
    reading = ascended(extension, relaxation, 100)
    assert tuple(reading.argmax(1)) == optimum


def test_sigmoids_of_scores_above_0_all_rise(float64, table):
    """No operation competes, and f rises with each weight: the largest value is at all 1."""
    assert table.min() > 0
    assert (ascended(MultilinearExtension(table), "sigmoid", 100) > 0.9).all()


def test_uniform_cells_move_no_alpha(float64, table):
    reading = ascended(MultilinearExtension(table), "uniform", 3)
    np.testing.assert_allclose(reading, 0.2, rtol=1e-12)


@pytest.mark.parametrize("relaxation", ["gumbel_hard", "dirichlet", "uniform"])
def test_the_expectation_over_samples_is_f_of_the_mean(float64, table, relaxation):
    """f is linear in each row, and rows are drawn apart: E f(sample) = f(E sample), exactly."""
    extension, draws = MultilinearExtension(table), 4000
    cells = NASBENCH201.topologies
    part = methods.find_parts("relaxation", relaxation)[0]().of(SearchFacts(cells, 4))
    alphas = {"cell": tf.constant(np.random.default_rng(4).standard_normal((6, 5)))}

    @tf.function(autograph=False)
    def values():
        def value(number):
            moment = beginning()._replace(seed=tf.stack([number, 7]))
            return extension(part.mixing(alphas, moment)["cell"])

        return tf.map_fn(value, tf.range(draws), fn_output_signature=tf.float64)

    if relaxation == "dirichlet":
        concentration = tf.nn.elu(alphas["cell"]) + 1.0
        mean = concentration / tf.reduce_sum(concentration, axis=1, keepdims=True)
    else:  # p, or for any alpha the even weights
        reading = "softmax" if relaxation == "gumbel_hard" else "uniform"
        of = methods.find_parts("relaxation", reading)[0]().of(SearchFacts(cells, 4))
        mean = of.reading(alphas, beginning())["cell"]
    found = values().numpy()
    error = found.std() / np.sqrt(draws)
    assert abs(found.mean() - extension.value(mean.numpy())) < 4 * error
    assert error < 0.01 * found.mean() or relaxation == "uniform"
