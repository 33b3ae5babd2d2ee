"""The blocks of the documents that show the checks run, and fail where something is wrong."""

import runpy

import numpy as np
import pytest

from tests.support import toy_search, toy_training
from tests.support.paths import ROOT
from tests.test_documents import blocks
from tests.testing.test_operation import Miscounted

pytestmark = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="not in a checkout")


class Upwards(toy_training.Toy):
    """Its score cannot be the better the higher it is."""

    score_mode = "max"


@pytest.fixture
def written():
    """What the reader has written: the example's layer, the toy space."""
    example = runpy.run_path(str(ROOT / "examples" / "own_operation.py"))
    return {
        "Convolution": example["Convolution"],
        "MySupernet": toy_search.Toy,
        "MyObjective": toy_training.Toy,
        "batch": np.linspace(-1.0, 1.0, 4),
    }


@pytest.mark.parametrize(
    ("document", "name", "broken", "sentence"),
    [
        (
            "own_operation",
            "Convolution",
            Miscounted,
            "Miscounted at stride 1: weight_uses counts 0",
        ),
        ("own_space", "MyObjective", Upwards, "Upwards: with the loss 'error' moves"),
    ],
)
def test_the_checks_of_a_document_run(document, name, broken, sentence, written):
    found = blocks(ROOT / "docs" / f"{document}.md")
    (block,) = (b for b in found if "tf_darts.testing" in b and name in b)
    exec(block, dict(written))
    with pytest.raises(AssertionError, match=sentence):
        exec(block, written | {name: broken})
