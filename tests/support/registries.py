"""What a test registers is forgotten when it ends."""

import sys

from tf_darts.cells import genotype, space
from tf_darts.config import layers, methods, presets
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.data import own_sets
from tf_darts.runtime.environment import MEMBERS
from tf_darts.spaces.recurrent import activations


def forget_members(monkeypatch):
    """Spaces, methods, their parts and data sets are those of before, once it is undone."""
    for name in [name for name in sys.modules if name.startswith(f"{MEMBERS}.")]:
        monkeypatch.delitem(sys.modules, name)  # another test's file is loaded anew
    space.spaces()
    methods.methods()
    monkeypatch.setattr(space, "_SPACES", dict(space._SPACES))
    monkeypatch.setattr(methods, "_methods", dict(methods._methods))
    monkeypatch.setattr(methods, "_parts", {k: dict(v) for k, v in methods._parts.items()})
    monkeypatch.setattr(genotype, "_added", {k: [*v] for k, v in genotype._added.items()})
    monkeypatch.setattr(activations, "ACTIVATIONS", dict(activations.ACTIVATIONS))
    monkeypatch.setattr(HYPERGRADIENTS, "maps", [*map(dict, HYPERGRADIENTS.maps)])
    monkeypatch.setattr(presets, "PRESETS", dict(presets.PRESETS))
    monkeypatch.setattr(layers, "LAYERS", {k: dict(v) for k, v in layers.LAYERS.items()})
    monkeypatch.setattr(own_sets, "IMAGES", dict(own_sets.IMAGES))
    monkeypatch.setattr(own_sets, "TEXTS", dict(own_sets.TEXTS))
