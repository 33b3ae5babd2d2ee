"""The operations of recurrent cells besides `none`: f of a candidate state, number by number.

`add_activation` adds one (docs/own_operation.md).
"""

from collections.abc import Callable

import tensorflow as tf

from tf_darts.cells.genotype import add_primitive, check_primitive_name, primitives_of
from tf_darts.errors import UserError, told

Activation = Callable[[tf.Tensor], tf.Tensor]  # [..., U] -> [..., U]

# In the order of the columns of α.
ACTIVATIONS: dict[str, Activation] = {
    "tanh": tf.tanh,
    "relu": tf.nn.relu,
    "sigmoid": tf.sigmoid,
    "identity": tf.identity,
}
OWN = len(ACTIVATIONS)  # for which the fast forms have written slopes; what follows was added


def add_activation(name: str, function: Activation) -> None:
    """Adds an operation to the recurrent space, as long as this process lives.

    Searches that begin from now on try it: α has one column more, the last. Cells may have it, so
    a process that goes on with such a run, or trains, tests or exports such a cell, adds it first.

    Args:
      name: what genotypes call it: letters, digits, `_`, `-`, `+` and `.`.
      function: of a tensor, number by number, and differentiable twice; it has no weights and draws
        nothing. `tf_darts.testing.check_activation` tries all of that.

    Raises:
      UserError: there is one of this name, or it is no name, or the function, on trial, fails or
        gives another shape or type.
    """
    check_primitive_name(name, primitives_of("recurrent"), "add_activation")
    states = tf.reshape(tf.linspace(-2.0, 2.0, 6), [2, 3])
    try:
        # As the fast recurrences use it: compiled, with its slope.
        value, _ = tf.function(value_and_slope, autograph=False, jit_compile=True)(function, states)
        found = tuple(value.shape), value.dtype.name
    except Exception as error:  # of a function that is not ours
        raise UserError(
            f"add_activation: {name!r} cannot be compiled and differentiated ({told(error)}); give"
            " a function of TensorFlow operations, as docs/own_operation.md has one."
        ) from error
    if found != ((2, 3), "float32"):
        raise UserError(
            f"add_activation: {name!r} makes {found[0]} {found[1]} of (2, 3) float32; it must give"
            " a number of the same type for each."
        )
    ACTIVATIONS[name] = function
    add_primitive("recurrent", name)


def activation(name: str) -> Activation:
    """The function of an operation of the recurrent space."""
    return ACTIVATIONS[name]


def activation_functions(columns: int) -> list[Activation]:
    """Those of α's columns behind `none`.

    Args:
      columns: of α, `none` among them; a model that was made before one was added has fewer.
    """
    return [ACTIVATIONS[name] for name in primitives_of("recurrent")[1:columns]]


def value_and_slope(function: Activation, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """f(x) and f'(x), of the shape of x; f' has slopes of its own."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(states)
        value = function(states)
    return value, tape.gradient(value, states, unconnected_gradients=tf.UnconnectedGradients.ZERO)
