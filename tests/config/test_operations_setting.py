"""`--operations`: other lists of candidates, for all edges or for each."""

import numpy as np
import pytest
import tensorflow as tf

import tf_darts
from tests.support import toy_space
from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.space import find_space
from tf_darts.config.presets import computed_settings, configure
from tf_darts.data.facts import ImageFacts, TextFacts
from tf_darts.errors import UserError
from tf_darts.spaces.convolutional import make as convolutional
from tf_darts.spaces.convolutional.operation_lists import S1
from tf_darts.spaces.convolutional.operations.convolutions import SeparableConvolution
from tf_darts.spaces.recurrent import make as recurrent
from tf_darts.testing import check_supernet, float64

toy = toy_space.toy
SEARCH = {"mode": "search", "dataset": "digits"}


def narrowed(text, space="convolutional"):
    return find_space(space).narrowed(text)


def test_lists_by_name_and_by_names():
    assert narrowed("s2")["reduce"].operations == ("skip_connect", "sep_conv_3x3")
    assert narrowed("s3")["normal"].operations == ("none", "skip_connect", "sep_conv_3x3")
    assert narrowed("dil_conv_3x3, sep_conv_7x7")["normal"].columns == 2
    assert narrowed("tanh", "recurrent")["cell"].operations == ("tanh",)
    s1 = narrowed("s1")
    assert s1["normal"].operations_of(0) == ("skip_connect", "dil_conv_3x3")
    assert s1["reduce"].operations_of(13) == ("skip_connect", "dil_conv_5x5")
    assert s1["normal"].columns == 2 and len(S1["normal"]) == s1["normal"].edges == 14
    assert sum(cell.edges for cell in s1.values()) == 28
    assert sum(cell.edges * cell.columns for cell in s1.values()) == 56  # logits
    skips = [sum("skip_connect" in names for names in S1[kind]) for kind in ("normal", "reduce")]
    assert skips == [12, 6]
    assert narrowed("s4")["reduce"].operations == ("noise", "sep_conv_3x3")
    assert narrowed("") == find_space("convolutional").topologies


def test_the_setting_is_one_of_the_run():
    made = configure(SEARCH | {"operations": "s2"})
    assert made.run_dir == "runs/search_digits_s2_darts_seed0"
    assert computed_settings(made)["operations"] == "s2"
    assert "operations" not in computed_settings(configure(SEARCH))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "sepconv_3x3,none",
            "'sepconv_3x3' is no operation of the space convolutional (did",
        ),
        ("s7", "'s7' is no operation of the space convolutional (did you mean s"),
        ("skip_connect,max_pool_3x3", "none of these has weights, so no cell would learn anything"),
        ("none", "none of these has weights"),
        ("noise,skip_connect", "none of these has weights"),
        ("sep_conv_3x3,sep_conv_3x3", "an operation is there twice; name each once."),
        (",", "'' is no operation of the space convolutional"),
    ],
)
@pytest.mark.parametrize("mode", ["search", "select", "black_box"])
def test_lists_that_cannot_be(mode, text, sentence):
    with pytest.raises(UserError) as error:
        if mode == "search":
            configure(SEARCH | {"operations": text})
        else:
            from tf_darts.study.plan import plan

            given = {"mode": mode, "dataset": "digits", "operations": text}
            plan(configure(given | ({"candidates": "random"} if mode == "select" else {})))
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_a_toy_space_has_lists_too(toy):
    assert narrowed("twice,skip", "toy")["cell"].operations == ("twice", "skip")
    assert narrowed("twice,skip", "toy")["cell"].keep is None
    with pytest.raises(UserError, match=r"no operation of the space toy; name some of none, skip"):
        narrowed("tanh", "toy")


@pytest.mark.parametrize("text", ["s1", "s2", "sep_conv_3x3"])
def test_a_convolutional_search_tries_these_only(text):
    config = configure(SEARCH | {"operations": text, "channels": 2, "layers": 3})
    cells = narrowed(text)
    supernet = convolutional.supernet(config, ImageFacts((8, 8, 1), 3), cells)
    assert supernet.cells == cells
    operations = supernet.model.cells[0].edges[3].operations
    assert tuple(operations) == cells["normal"].operations_of(3)
    assert any(isinstance(o, SeparableConvolution) for o in operations.values())
    copy = type(supernet.model).from_config(supernet.model.get_config())
    assert copy.topologies == cells
    found = genotype_class("convolutional").from_cells(random_cells(cells, 0))
    images = tf.constant(np.random.default_rng(0).normal(size=(2, 8, 8, 1)), tf.float32)
    mixing = {k: tf.fill([c.edges, c.columns], 1.0 / c.columns) for k, c in cells.items()}
    batch = (images, tf.constant([0, 1]))
    result = supernet.loss([w.value for w in supernet.weights], mixing, batch, (), [0, 1])
    assert np.isfinite(result.loss) and found.space == "convolutional"


def test_a_recurrent_search_with_some_operations_is_that_of_all_with_weights_of_zero(eagerly):
    base = {"mode": "search", "dataset": "pydoc", "units": 5}
    rates = ("embedding", "input", "cell_input", "hidden", "output")
    base |= {f"{name}_dropout": 0.0 for name in rates}
    whole = recurrent.supernet(configure(base), TextFacts(11), narrowed("", "recurrent"))
    cells = narrowed("relu,tanh", "recurrent")
    some = recurrent.supernet(configure(base | {"operations": "relu,tanh"}), TextFacts(11), cells)
    random = np.random.default_rng(0)
    table = random.dirichlet([1.0, 1.0], 36).astype(np.float32)
    full = np.zeros([36, 5], np.float32)
    full[:, 2], full[:, 1] = table[:, 0], table[:, 1]
    words = tf.constant(random.integers(11, size=(4, 3)), tf.int32)
    losses = []
    for supernet, mixing in ((whole, full), (some, table)):
        weights = [tf.convert_to_tensor(w) for w in supernet.weights]
        state, cell = supernet.initial_state(3), {"cell": tf.constant(mixing)}
        losses.append(supernet.loss(weights, cell, (words, words), state, tf.constant([1, 2])).loss)
    assert losses[0].numpy() == losses[1].numpy()


@pytest.mark.long
def test_contract_of_a_recurrent_supernet_with_some_operations():
    with float64():
        config = configure({"mode": "search", "dataset": "pydoc", "units": 4})
        cells = narrowed("identity,relu", "recurrent")
        supernet = recurrent.supernet(config, TextFacts(7), cells)
        words = np.random.default_rng(0).integers(7, size=(3, 2))
        check_supernet(supernet, (words, words))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
@pytest.mark.parametrize(
    "operations", [*(pytest.param(name, marks=pytest.mark.long) for name in ("s1", "s2")), "s4"]
)
def test_a_whole_search(eagerly, uncounted, undrawn, tmp_path, operations):
    small = {"channels": 2, "layers": 3, "batch_size": 4, "train_examples": 20}
    few = {"epochs": 1, "steps_per_epoch": 1, "method": "darts_first"}
    given = {"dataset": "digits", "operations": operations, "run_dir": str(tmp_path)}
    found = tf_darts.search(**given, **small, **few)
    cells = narrowed(operations)
    for kind, topology in cells.items():
        assert np.shape(found.history[-1]["mixing"][kind]) == (14, 2)
        for node, edges in enumerate(found.cell.cells[kind].nodes):
            for name, source in edges:
                assert name in topology.operations_of(topology.rows(node).start + source)
    assert (tmp_path / "plots" / "alpha_normal.png").exists()
    with pytest.raises(tf_darts.UserError, match=r"operations was .* and is now 's3'"):
        tf_darts.search(**given | {"operations": "s3"}, **small, **few)
