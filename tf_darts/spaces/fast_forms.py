"""Where a layer asks for a faster way to compute what its `call` says.

A layer's `call` is the equation. `tf_darts.accelerate` registers a fast form for a layer class,
with the condition under which it applies; nothing in `spaces/` knows what is registered, or whether
anything is. `--accelerate=off` turns all of it off; the results are the same within rounding.

    def call(self, inputs, mixing, training=False):
        if (fast := fast_form(RelaxedCell, self, inputs, mixing, training)) is not None:
            return fast()
        ...  # the equation
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class FastForm(NamedTuple):
    """Another way to compute what a layer computes.

    Attributes:
      layer: the layer's class.
      function: takes what the layer gives to `fast_form`.
      applies: takes the same, and says whether `function` may.
      condition: what `applies` asks, for people.
      second: whether it has second derivatives; where not, asking for one is an error.
    """

    layer: type
    function: Callable[..., Any]
    applies: Callable[..., bool]
    condition: str
    second: bool


_forms: dict[type, FastForm] = {}
# The forms of these classes, and of those derived of them, are not taken.
_disabled: tuple[type, ...] = ()
_counted = False
_records: list[list[type]] = []  # what is written down, see `recorded`


def register(
    layer: type,
    condition: str,
    applies: Callable[..., bool] = lambda *_: True,
    *,
    second: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes the decorated function the fast form of `layer`; see `FastForm`.

    Raises:
      ValueError: the class has a fast form already.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if layer in _forms:
            raise ValueError(f"{layer.__name__} has a fast form already")
        _forms[layer] = FastForm(layer, function, applies, condition, second)
        return function

    return decorate


def registered() -> tuple[FastForm, ...]:
    """Every fast form there is."""
    return tuple(_forms.values())


def allowed(layer: type) -> bool:
    """Whether the fast form of a layer class is there and not left out; it may still not apply."""
    return layer in _forms and not issubclass(layer, _disabled)


def fast_form(layer: type, *arguments: Any) -> Callable[[], Any] | None:
    """The fast form of a layer class, ready to be called; None where the layer computes itself.

    It is asked when a function is traced, so what is traced already does not change.
    """
    if not allowed(layer) or not _forms[layer].applies(*arguments):
        return None
    for record in _records:
        record.append(layer)
    return functools.partial(_forms[layer].function, *arguments)


def set_acceleration(name: str) -> None:
    """Lets all fast forms be taken that apply ("auto"), or none ("off"), from now on."""
    global _disabled
    _disabled = {"auto": (), "off": (object,)}[name]


@contextlib.contextmanager
def without(*layers: type) -> Iterator[None]:
    """Inside, the fast forms of these classes are not taken; none at all if no class is given."""
    global _disabled
    outer, _disabled = _disabled, (*_disabled, *(layers or (object,)))
    try:
        yield
    finally:
        _disabled = outer


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """Inside, the operations of what is traced are counted: no form hides them in a function."""
    global _counted
    outer, _counted = _counted, True
    try:
        yield
    finally:
        _counted = outer


def is_counted() -> bool:
    """Whether this is inside of `counted`."""
    return _counted


@contextlib.contextmanager
def recorded() -> Iterator[list[type]]:
    """Yields a list to which the class of every fast form is added that is taken inside."""
    record: list[type] = []
    _records.append(record)
    try:
        yield record
    finally:
        _records.remove(record)
