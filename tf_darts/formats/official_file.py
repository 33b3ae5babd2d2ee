"""Files of PyTorch's `torch.save` as arrays: plain state dicts, nothing of them executed."""

import io
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_darts.errors import UserError
from tf_darts.runtime.files import read_bytes, shown

State = Mapping[str, np.ndarray]

_COUNTER = ".num_batches_tracked"  # PyTorch counts a batch norm's batches; nothing depends on it
_LARGEST = 2**28  # numbers of a tensor; the release's largest has 8.5 million
_NESTED = ("state_dict", "model_state_dict", "model")  # what training scripts put one under


def counters(state: State) -> set[str]:
    """The names of what only counts batches, in whole numbers."""
    return {name for name in state if name.endswith(_COUNTER)}


def read_state(path: str | pathlib.Path) -> State:
    """The state dict in a .pt file, as float32 (what counts batches: whole numbers).

    Numbers of 16 and 64 bits become float32; networks that were wrapped for several GPUs
    (`module.`) and files that hold the state dict beside other things are understood.

    Raises:
      UserError: PyTorch is missing, or there is no such state dict, or a tensor holds no numbers
        that a network could have.
    """
    content = read_bytes(path, "give the .pt file of a state dict")
    try:
        # The optional extra: nothing else needs it.
        import torch
    except ImportError as error:
        raise UserError(
            "reading .pt files needs PyTorch: pip install 'tf_darts[torch]'."
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats
            document = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch's reader raises whatever it stumbles over
        raise UserError(
            f"{shown(path)}: holds no plain state dict, or is broken, and nothing else is"
            " unpickled; save model.state_dict() with the program that made it."
        ) from error
    state: dict[str, np.ndarray] = {}
    for name, value in _tensors(path, document).items():
        plain = name.removeprefix("module.")
        if plain in state:
            raise UserError(f"{shown(path)}: has both {plain!r} and 'module.{plain}'; keep one.")
        state[plain] = _array(f"{shown(path)}: {shown(name)!r}", name, value)
    return state


def _tensors(path: str | pathlib.Path, document: Any) -> dict[str, Any]:
    """The state dict in what a file holds."""
    while isinstance(document, dict):
        inner = next((document[n] for n in _NESTED if isinstance(document.get(n), dict)), None)
        if inner is None:
            break
        document = inner
    if not isinstance(document, dict) or not document:
        content = "an empty dict" if isinstance(document, dict) else type(document).__name__
        raise UserError(
            f"{shown(path)}: holds {content} in place of a state dict, names with tensors; save"
            " model.state_dict()."
        )
    for name in document:
        if not isinstance(name, str):
            raise UserError(
                f"{shown(path)}: a tensor has {shown(repr(name))} for a name in place of a text;"
                " save model.state_dict(), whose names are those of the network's parts."
            )
    return document


def _array(about: str, name: str, value: Any) -> np.ndarray:
    """A tensor's numbers; the sentence of a refusal begins with `about`."""
    import torch

    if not torch.is_tensor(value):
        raise UserError(f"{about} is {type(value).__name__}, no tensor; leave it out of the file.")
    for problem, has_problem, advice in (
        ("has no values (it is on the meta device)", value.is_meta, "load the weights first"),
        ("is quantised", value.is_quantized, "save its dequantize()"),
        ("is sparse", value.layout is not torch.strided, "save its to_dense()"),
        (f"is far too large, {value.shape}", value.numel() > _LARGEST, "give another file"),
    ):
        if has_problem:
            raise UserError(f"{about} {problem}; {advice}.")
    value = value.detach()
    is_integer = not value.is_floating_point() and not value.is_complex()
    if name.endswith(_COUNTER) and is_integer:
        return value.numpy()
    if not value.is_floating_point():
        dtype = str(value.dtype).removeprefix("torch.")
        raise UserError(f"{about} holds {dtype}, and weights are floats; save its float().")
    array = value.resolve_neg().to(torch.float32).numpy()
    if not np.isfinite(array).all():
        raise UserError(
            f"{about} holds numbers that are not finite (NaN or infinite as float32); the network"
            " diverged or the file is broken: give another one."
        )
    return array
