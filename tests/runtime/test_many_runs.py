"""Several runs in one process: what is said of them, and what stays of them."""

import gc
import weakref

import tensorflow as tf
from tensorflow.python.eager import context

from tf_darts.bilevel.alpha_moves import AlphaMoves
from tf_darts.bilevel.relaxation import Relaxation, beginning
from tf_darts.config.presets import configure
from tf_darts.runtime import many_runs

RETRACED = "5 out of the last 5 calls to <function f> triggered tf.function retracing. Tracing is"


def test_functions_traced_anew_are_no_news_but_other_warnings_are(caplog):
    logger = tf.get_logger()
    with many_runs.without_retracing_warnings():
        logger.warning(RETRACED)
        logger.warning("something else")
    assert caplog.messages == ["something else"]
    logger.warning(RETRACED)
    assert caplog.messages[1:] == [RETRACED]


def test_no_kernel_stays_of_variables_that_are_gone(monkeypatch):
    cleared = []
    clear = context.context().clear_kernel_cache
    monkeypatch.setattr(context.context(), "clear_kernel_cache", lambda: cleared.append(clear()))
    circle = [tf.Variable(1.0)]
    circle.append(circle)
    gone = weakref.ref(circle[0])
    del circle
    many_runs.give_back_memory()
    assert gone() is None and cleared


def test_the_graph_of_alphas_step_is_given_free():
    config = configure({"mode": "search", "dataset": "cifar10"})
    alphas = Relaxation().variables(config.cells, 1.0, 0)
    moves = AlphaMoves(alphas, Relaxation(), config)
    moves.apply({name: tf.zeros(alpha.shape) for name, alpha in alphas.items()}, beginning())
    gradients = {name: tf.zeros(alpha.shape) for name, alpha in alphas.items()}
    graph = weakref.ref(moves._apply.get_concrete_function(gradients, beginning()).graph)
    assert graph() is not None
    del moves
    gc.collect()
    assert graph() is None
