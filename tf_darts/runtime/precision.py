"""The arithmetic of everything that is made from now on."""

import keras


def set_precision(name: str) -> None:
    """Makes `name`, "float32" or "float64", the type of new variables and layers.

    Keras keeps two settings, and the second is frozen to the first at its first use.
    """
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
