"""What a test registers is forgotten when it ends."""

from tf_darts.cells import space
from tf_darts.config import methods


def forget_members(monkeypatch):
    """Spaces, methods and their parts are those of before, once `monkeypatch` is undone."""
    space.spaces()
    methods.methods()
    monkeypatch.setattr(space, "_SPACES", dict(space._SPACES))
    monkeypatch.setattr(methods, "_methods", dict(methods._methods))
    monkeypatch.setattr(methods, "_parts", {k: dict(v) for k, v in methods._parts.items()})
