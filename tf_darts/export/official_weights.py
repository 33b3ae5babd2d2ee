"""The names under which the official PyTorch release keeps its weights."""

from collections.abc import Mapping

import keras
import numpy as np

from tf_darts.errors import UserError
from tf_darts.spaces.recurrent.language_model import RelaxedLanguageModel


def recurrent_official_names(model: RelaxedLanguageModel) -> dict[str, keras.Variable]:
    """The variables of a recurrent language model by their official names.

    Shapes and layouts agree: the kernels act from the right there too. The decoder's weight is
    tied to the embedding and has no variable of its own.
    """
    cell = model.cell
    return {
        "encoder.weight": model.embedding,
        "rnns.0._W0": cell.input_kernel,
        **{f"rnns.0._Ws.{i}": kernel for i, kernel in enumerate(cell.node_kernels)},
        "rnns.0.bn.running_mean": cell.running_mean,
        "rnns.0.bn.running_var": cell.running_variance,
        "decoder.bias": model.bias,
    }


def assign_official(
    variables: Mapping[str, keras.Variable], state: Mapping[str, np.ndarray]
) -> None:
    """Gives the variables the values of an official state dict.

    Raises:
      UserError: a value is missing or has another shape; nothing is assigned then.
    """
    for name, variable in variables.items():
        if name not in state:
            raise UserError(f"The state dict has no {name!r}; it is of another network.")
        if tuple(state[name].shape) != tuple(variable.shape):
            raise UserError(
                f"{name!r} has shape {tuple(state[name].shape)}, the network needs"
                f" {tuple(variable.shape)}; it is of another size."
            )
    for name, variable in variables.items():
        variable.assign(state[name])
