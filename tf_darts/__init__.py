"""Differentiable architecture search (DARTS) for TensorFlow and Keras 3.

    import tf_darts

    sizes = {"dataset": "digits", "layers": 3, "batch_size": 32}
    found = tf_darts.search(run_dir="runs/first", channels=4, epochs=4, **sizes)
    trained = tf_darts.train(found.cell, run_dir="runs/second", channels=8, epochs=8, **sizes)
    scores = tf_darts.test(trained.path)
    exported = tf_darts.export(trained.path, "models/digits")

Every public name is in `_PUBLIC`; nothing else is promised to stay. TensorFlow, Keras and the
module of a name are imported when the name is first used.
"""

import importlib
import sys
import warnings
from typing import Any

from tf_darts.runtime import keras_settings, start_up

keras_settings.apply()

__version__ = "0.1.0"

_PUBLIC = {
    # The modes of the command line as functions, and what they return and raise.
    "tf_darts.api": (
        "search",
        "train",
        "test",
        "select",
        "export",
        "Selection",
        "load_genotype",
        "save_genotype",
    ),
    "tf_darts.runs.search": ("SearchRun",),
    "tf_darts.runs.training": ("TrainingRun",),
    "tf_darts.runs.export": ("Exported",),
    "tf_darts.runtime.callback": ("Callback",),
    "tf_darts.errors": ("UserError",),
    "tf_darts.runtime.signals": ("Stopped",),
    # Cells.
    "tf_darts.cells.genotype": (
        "Genotype",
        "ConvolutionalGenotype",
        "RecurrentGenotype",
        "genotype_class",
    ),
    "tf_darts.cells.published": ("PUBLISHED",),
    # Networks of derived cells, as Keras models, and how large they are.
    "tf_darts.spaces.convolutional.derived.objective": ("CifarNetwork", "ImageNetNetwork"),
    "tf_darts.spaces.recurrent.derived.objective": ("LanguageModel",),
    "tf_darts.spaces.convolutional.derived.counts": ("multiply_adds", "weight_count"),
    # Keras layers: derived and relaxed cells, operations.
    "tf_darts.spaces.convolutional.derived.cell": ("DerivedCell",),
    "tf_darts.spaces.recurrent.derived.cell": ("DerivedRecurrentCell",),
    "tf_darts.spaces.convolutional.relaxed.cell": ("MixedOperation", "RelaxedCell"),
    "tf_darts.spaces.recurrent.relaxed.cell": ("RelaxedRecurrentCell",),
    "tf_darts.spaces.convolutional.operations.registry": ("add_operation", "make_operation"),
    "tf_darts.spaces.convolutional.operations.base": ("Operation",),
    "tf_darts.spaces.recurrent.activations": ("add_activation",),
    "tf_darts.spaces.convolutional.operations.batch_norm": ("BatchNorm",),
    # Spaces: what a search and a training need of one, the two that there are, and one's own.
    "tf_darts.cells.space": ("IMAGES", "TEXTS", "Space", "register_space"),
    "tf_darts.cells.costs": ("Costs",),
    # Data sets of one's own by name.
    "tf_darts.config.datasets": ("register_images", "register_texts"),
    "tf_darts.config.data_searches": ("ImageSearchConfig", "TextSearchConfig"),
    "tf_darts.config.training": ("ImageTrainingConfig", "TextTrainingConfig"),
    "tf_darts.config.setting": ("setting",),
    "tf_darts.spaces.image_doors": ("ImageObjective", "ImageSupernet"),
    "tf_darts.spaces.supernet": ("Supernet",),
    "tf_darts.spaces.objective": ("TrainingObjective",),
    "tf_darts.cells.topology": ("CellLabels", "CellTopology"),
    "tf_darts.cells.table_form": ("TableForm",),
    "tf_darts.spaces.convolutional.relaxed.supernet": ("ConvolutionalSupernet",),
    "tf_darts.spaces.recurrent.relaxed.supernet": ("RecurrentSupernet",),
}
_MODULES = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = [*_MODULES]
_RENAMED = {"Network": "TrainingObjective"}  # for one version more


def __getattr__(name: str) -> Any:
    """A public name, from where it is."""
    if name in _RENAMED:
        message = f"tf_darts.{name} is tf_darts.{_RENAMED[name]} now"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[__name__], _RENAMED[name])
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with start_up.first_import():
        if _MODULES[name].startswith("tf_darts.spaces."):
            importlib.import_module("tf_darts.accelerate")  # registers the layers' fast forms
        value = getattr(importlib.import_module(_MODULES[name]), name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
