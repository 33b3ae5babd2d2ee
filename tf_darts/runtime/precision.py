"""The arithmetic of everything that is made from now on, and which of it is done in 16 bits.

Variables (weights, α, optimiser states, running statistics), losses and gradients are of one type,
float32 or float64. Under `mixed_bfloat16` and `mixed_float16` they are float32, and some of what
lies between is computed in the 16-bit type: what the spaces ask here. Weights are cast where they
are used, so their gradients come back as float32.

Keras' own mixed policies are not used: they cast all inputs and weights of a layer, running
statistics and α's mixing weights too, and cannot tell a product that gains from one that loses.
"""

import contextlib
import dataclasses
from collections.abc import Iterator

import keras
import tensorflow as tf

from tf_darts.errors import UserError

# Multiply-adds for each number that a product reads or writes, from which the CPU's bfloat16
# products are faster, casts included (docs/performance.md).
LEAST_INTENSITY = 150.0
_COMPUTE = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


@dataclasses.dataclass(frozen=True)
class Precision:
    """What is computed in which type.

    Attributes:
      variable: of variables, losses and gradients.
      compute: of the activations of image networks, and of products that gain.
      least_intensity: how many multiply-adds a product must have for each number it touches to be
        computed in `compute` where its operands are not of that type already.
    """

    variable: str = "float32"
    compute: str = "float32"
    least_intensity: float = LEAST_INTENSITY

    @classmethod
    def from_name(cls, name: str) -> "Precision":
        """The precision of a name, on the devices that there are: with a GPU every product gains.

        Args:
          name: float32, float64, mixed_bfloat16 or mixed_float16.
        """
        if name not in _COMPUTE:
            return cls(name, name)
        gpus = tf.config.list_physical_devices("GPU")  # does not start TensorFlow
        return cls("float32", _COMPUTE[name], 0.0 if gpus else LEAST_INTENSITY)

    @property
    def mixed(self) -> bool:
        """Whether there are two types."""
        return self.compute != self.variable

    @property
    def scales_losses(self) -> bool:
        """Whether gradients may be too small for `compute`."""
        return self.compute == "float16"

    @property
    def full(self) -> "Precision":
        """The same without 16 bits."""
        return Precision(self.variable, self.variable)

    def gains(self, rows: int | None, inner: int | None, columns: int | None) -> bool:
        """Whether [rows, inner] · [inner, columns] is computed in `compute`; None: many."""
        touched = sum(1.0 / size for size in (rows, inner, columns) if size)
        return self.mixed and self.least_intensity * touched <= 1.0


_current = Precision()


def set_precision(name: str) -> None:
    """Makes `name`, see `Precision.from_name`, the arithmetic of variables, layers and functions.

    Keras keeps two settings, and the second is frozen to the first at its first use.
    """
    global _current
    _current = Precision.from_name(name)
    keras.config.set_floatx(_current.variable)
    keras.config.set_dtype_policy(_current.variable)


def current() -> Precision:
    """What holds now."""
    return _current


@contextlib.contextmanager
def using(precision: Precision) -> Iterator[None]:
    """Inside, `precision` holds for what is computed or traced; Keras' settings stay."""
    global _current
    outer, _current = _current, precision
    try:
        yield
    finally:
        _current = outer


def matmul(
    a: tf.Tensor, b: tf.Tensor, *, transpose_a: bool = False, transpose_b: bool = False
) -> tf.Tensor:
    """`tf.matmul` of two matrices of variables' type, in 16 bits where that gains; the type stays.

    Its gradient's products are as large, and computed in the same type.
    """
    a, b = tf.convert_to_tensor(a), tf.convert_to_tensor(b)
    rows, inner = list(a.shape)[::-1] if transpose_a else list(a.shape)
    columns = b.shape[0] if transpose_b else b.shape[1]
    transposed = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    if a.dtype.name != _current.variable or not _current.gains(rows, inner, columns):
        return tf.matmul(a, b, **transposed) if transpose_a or transpose_b else a @ b
    product = tf.matmul(tf.cast(a, _current.compute), tf.cast(b, _current.compute), **transposed)
    return tf.cast(product, a.dtype)


def check_language_model(units: int, words: int) -> None:
    """Raises `UserError` where a language model would compute nothing in 16 bits.

    Its largest product is the decoder's, [tokens, units] · [units, words].
    """
    if _current.mixed and not _current.gains(None, units, words):
        raise UserError(
            f"--precision=mixed_{_current.compute}: without a GPU no product of {units} units and"
            f" {words:,} words gains from 16 bits; use --precision=float32."
        )


def activations(x: tf.Tensor) -> tf.Tensor:
    """`x` in the type that an image network's activations have."""
    return tf.cast(x, _current.compute) if _current.mixed else x


def like(value: tf.Tensor, activations: tf.Tensor) -> tf.Tensor:
    """A weight in the type of the activations that it meets."""
    return value if value.dtype == activations.dtype else tf.cast(value, activations.dtype)


def full(x: tf.Tensor) -> tf.Tensor:
    """`x` in the type of losses, which is also that of moments and logits."""
    return tf.cast(x, tf.float32) if x.dtype in (tf.bfloat16, tf.float16) else x
