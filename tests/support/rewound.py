"""A step of a search put back to its beginning: what was compiled for one test serves the next."""

import dataclasses

import tensorflow as tf


def all_variables(step):
    """Everything that a step moves, as TensorFlow's variables."""
    variables = dict(step.variables)
    optimizer = variables.pop("alpha_optimizer")
    return tf.nest.flatten(variables) + [variable.value for variable in optimizer.variables]


def values(step):
    """What all variables hold."""
    return [variable.numpy() for variable in all_variables(step)]


def rewind(step, beginning, kind):
    """Puts `values` back; `kind` is the estimate of the hypergradient from now on."""
    for variable, value in zip(all_variables(step), beginning, strict=True):
        variable.assign(value)
    step.config = dataclasses.replace(step.config, hypergradient=kind)
