"""Tests of what a mode does before its work begins."""

import pytest

from tf_darts import commands
from tf_darts.config import PRESETS


class Began(Exception):
    """The work would begin."""


@pytest.mark.parametrize(("dataset", "wanted"), [("cifar10", 1), ("ptb", 0)])
@pytest.mark.parametrize("mode", ["search", "train"])
def test_operations_are_side_by_side_on_images(monkeypatch, mode, dataset, wanted):
    calls = []

    def begin(*arguments):
        raise Began

    monkeypatch.setattr(commands, "operations_side_by_side", lambda: calls.append(True))
    for name in ("find_cell", "run_search"):
        monkeypatch.setattr(commands, name, begin)
    with pytest.raises(Began):
        commands.MODES[mode](PRESETS[mode, dataset])
    assert len(calls) == wanted
