"""What a method is composed of, as settings of a search."""

import pytest

from tests.support.registries import forget_members
from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.config import methods
from tf_darts.config.presets import configure
from tf_darts.config.setting import setting
from tf_darts.errors import UserError


@pytest.fixture
def registry(monkeypatch):
    """What is registered is forgotten when the test ends."""
    forget_members(monkeypatch)


def search(**settings):
    return configure({"mode": "search", "dataset": "ptb", **settings})


def test_a_part_cannot_have_a_setting_that_every_search_has(registry):
    @methods.register("taken")
    class Taken(AlphaTerm):
        """Has a setting that every search has."""

        epochs: int = setting(1, "of its own")

        def value(self, alphas, mixing, moment):
            return 0.0

    with pytest.raises(UserError, match=r"--alpha_terms=taken: its setting epochs is one"):
        search(alpha_terms="taken")


@pytest.mark.parametrize(
    ("composition", "sentence"),
    [
        (
            {"settings": {"warm_up_epoch": 3}},
            r"its setting 'warm_up_epoch' is none of a search \(did",
        ),
        ({"settings": {"epochs": "many"}}, "of its settings: --epochs='many': it must be a whole"),
        ({"settings": {"batch_size": -3}}, "of its settings: --batch_size=-3: out of range"),
        ({"by_space": {"nasbench": {}}}, r"its by_space has 'nasbench', which is no space \(did"),
        ({"hypergradient": "exct"}, r"its hypergradient exct is not known \(did you mean exact"),
    ],
)
def test_a_method_whose_settings_cannot_be_is_refused_when_it_is_chosen(
    registry, composition, sentence
):
    methods.register_method("mine", "of mine", **composition)
    with pytest.raises(UserError, match=f"--method=mine.* {sentence}"):
        search(method="mine")
