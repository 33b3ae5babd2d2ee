"""Every operation of a traced step has a kernel for GPUs: TensorFlow lists them without one.

What has none would be computed on the host, and all it reads and gives be copied there and back.
"""

import contextlib
import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from tests.bilevel import test_replicated_step as searches
from tests.training import test_replicated_step as trainings
from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells.space import find_space
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.data.facts import ImageFacts
from tf_darts.spaces import fast_forms
from tf_darts.spaces.nasbench201 import make
from tf_darts.spaces.nasbench201.settings import NasBench201SearchConfig
from tf_darts.training.step import TrainingStep

# What stands in a graph and is not computed.
STRUCTURE = {"Placeholder", "_Arg", "_Retval", "NoOp"}
TEXT = tf.string.as_datatype_enum  # a constant text is what an assertion would say, on the host


def missing(graph_def, clusters="XLA_GPU_JIT"):
    """The operations of a graph for which no kernel is registered, with their types.

    Args:
      graph_def: of a traced function.
      clusters: for what device those are compiled that are in XLA's clusters.
    """
    functions = {f.signature.name: f for f in graph_def.library.function}
    found, seen = set(), set()

    def walk(nodes, devices):
        for node in nodes:
            called = [a.func.name for a in node.attr.values() if a.HasField("func")]
            called += [f.name for a in node.attr.values() for f in a.list.func]
            called += [node.op] if node.op in functions else []
            for name in called:
                if name in functions and name not in seen:
                    seen.add(name)
                    compiled = functions[name].attr["_XlaMustCompile"].b
                    inside = (clusters,) if compiled else devices
                    walk(functions[name].node_def, inside)
            text = node.op == "Const" and node.attr["dtype"].type == TEXT
            skipped = called or text or node.op in STRUCTURE
            if not skipped and not _has_kernel(node, devices):
                types = {k: tf.as_dtype(a.type).name for k, a in node.attr.items() if a.type}
                found.add((node.op, devices[0], *sorted(types.items())))

    walk(graph_def.node, ("GPU", "DEFAULT"))
    return found


@functools.cache
def _kernels(op):
    return kernels.get_registered_kernels_for_op(op).kernel


def _has_kernel(node, devices):
    return any(
        kernel.device_type in devices
        and all(
            node.attr[c.name].type in c.allowed_values.list.type
            for c in kernel.constraint
            if c.name in node.attr and c.allowed_values.list.type
        )
        for kernel in _kernels(node.op)
    )


def _nasbench201():
    config = NasBench201SearchConfig(channels=2, cells_per_stage=1, batch_size=searches.BATCH)
    supernet = make.supernet(config, ImageFacts((8, 8, 3), 4), find_space("nasbench201").topologies)
    images = np.zeros((searches.BATCH, 8, 8, 3), np.float32)
    batch = images, np.zeros(searches.BATCH, np.int32)
    return supernet, config, [(batch, batch)], 0.025


SPACES = {
    "convolutional": lambda: searches.SPACES["convolutional"](0.0),
    "recurrent": lambda: searches.SPACES["recurrent"](0.1),
    "nasbench201": _nasbench201,
}


def _traced(step, *arguments):
    arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
    function = tf.function(step.of_tensors, autograph=False)
    return function.get_concrete_function(*arguments).graph.as_graph_def()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "kinds", "forms"),
    [
        ("recurrent", ("first_order",), contextlib.nullcontext),
        pytest.param("recurrent", HYPERGRADIENTS, contextlib.nullcontext, marks=pytest.mark.long),
        pytest.param("recurrent", HYPERGRADIENTS, fast_forms.without, marks=pytest.mark.long),
        pytest.param(
            "convolutional", HYPERGRADIENTS, contextlib.nullcontext, marks=pytest.mark.long
        ),
        pytest.param(
            "convolutional", ("finite_difference",), fast_forms.without, marks=pytest.mark.long
        ),
        pytest.param("nasbench201", HYPERGRADIENTS, contextlib.nullcontext, marks=pytest.mark.long),
        # Its clear layers are the convolutional space's.
    ],
)
def test_search_steps(space, kinds, forms):
    supernet, config, batches, rate = SPACES[space]()
    step = BilevelStep(supernet, config)
    found = set()
    with forms():
        for kind in kinds:
            step.config = dataclasses.replace(config, hypergradient=kind)
            found |= missing(_traced(step, *batches[0], tf.constant(rate)))
    assert not found


@pytest.mark.slow
@pytest.mark.parametrize("space", trainings.SPACES)
def test_training_steps(space):
    network, config, batches, rate = trainings.SPACES[space]()
    step = TrainingStep(network, config, averages=True)
    assert not missing(_traced(step, batches[0], tf.constant(rate), tf.constant(0.0)))


def test_what_has_none_is_named():
    @tf.function(autograph=False)
    def without(x):
        return tf.strings.length(tf.strings.as_string(tf.square(x)))

    graph = without.get_concrete_function(tf.TensorSpec([3])).graph.as_graph_def()
    assert {name for name, *_ in missing(graph)} == {"AsString", "StringLength"}
    counted = tf.function(lambda x: x @ x, autograph=False)
    graph = counted.get_concrete_function(tf.TensorSpec([2, 2], tf.uint8)).graph.as_graph_def()
    assert missing(graph) == {("MatMul", "GPU", ("T", "uint8"))}


def test_clusters_are_for_the_compiler():
    @tf.function(autograph=False, jit_compile=True)
    def cluster(x):
        return tf.unique(x)[0]

    outer = tf.function(lambda x: cluster(x) + 1.0, autograph=False)
    graph = outer.get_concrete_function(tf.TensorSpec([3])).graph.as_graph_def()
    for found in missing(graph):
        assert found[:2] == ("Unique", "XLA_GPU_JIT")
