"""Whether a part or a method can be, looked at where it is registered."""

import pytest

from tests.support.registries import forget_members
from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.epoch_rules import EpochRule
from tf_darts.bilevel.relaxation import Relaxation
from tf_darts.config import methods
from tf_darts.config.setting import setting
from tf_darts.errors import UserError


@pytest.fixture
def registry(monkeypatch):
    """What is registered is forgotten when the test ends."""
    forget_members(monkeypatch)


def test_names_that_cannot_be(registry):
    with pytest.raises(UserError, match="--method=darts: the name is taken"):
        methods.register_method("darts", "another")
    with pytest.raises(UserError, match="--relaxation=softmax: the name is taken"):
        methods.register("softmax")(type("Other", (Relaxation,), {}))
    with pytest.raises(UserError, match="Softmax is registered as softmax already"):
        methods.register("other")(methods.parts("relaxation")["softmax"])
    with pytest.raises(UserError, match="letters, digits and _"):
        methods.register_method("a b", "another")
    with pytest.raises(UserError, match="--method=3: a name is letters"):
        methods.register_method(3, "another")


def test_a_part_that_gives_nothing_is_refused_before_any_search(registry):
    with pytest.raises(UserError, match="Empty: gives no value and no gradient"):
        methods.register("empty")(type("Empty", (AlphaTerm,), {}))
    with pytest.raises(UserError, match="Nothing: gives no edges"):
        methods.register("nothing")(type("Nothing", (Derivation,), {}))


@pytest.mark.parametrize(
    ("door", "names", "sentence"),
    [
        (Relaxation, ("mixng",), r"nothing calls its mixng \(did you mean mixing\?\); rename it"),
        (Relaxation, ("weigth_mixing",), r"did you mean weight_mixing\?"),
        (EdgeOption, ("edges_factors", "wrapped"), r"did you mean edge_factors\?"),
        (Relaxation, ("share",), r"its share, and it has none of variables, mixing, .*; rename it"),
    ],
)
def test_a_method_that_nothing_calls_is_refused(registry, door, names, sentence):
    part = type("Part", (door,), {name: lambda self: None for name in names})
    with pytest.raises(UserError, match=f"Part: .*{sentence}"):
        methods.register("part")(part)


@pytest.mark.parametrize("names", [(), ("_mixng",), ("mixing", "mixing_of"), ("mixing", "share")])
def test_methods_of_its_own_use_are_not(registry, names):
    part = type("Part", (Relaxation,), {name: lambda self: None for name in names})
    methods.register("part")(part)


def test_settings_that_cannot_be(registry):
    with pytest.raises(UserError, match=r"Plain\.weight is no setting; write"):

        @methods.register("plain")
        class Plain(AlphaTerm):
            """Has a field that is no flag."""

            weight: float = 1.0

            def value(self, alphas, mixing, moment):
                return 0.0


def with_setting(kind, field):
    return type("Part", (Relaxation,), {"__annotations__": {"share": kind}, "share": field})


@pytest.mark.parametrize(
    ("kind", "field", "sentence"),
    [
        (
            tuple,
            setting((1, 2), "numbers"),
            "no flag is a tuple; make the setting one of int, float",
        ),
        (float, setting("a", "text"), "its default is refused .--share='a': it must be a number"),
        (float, setting(5.0, "too large", below=1.0), "default is refused .*less than 1"),
    ],
)
def test_a_setting_that_no_flag_can_be_is_refused_at_once(registry, kind, field, sentence):
    with pytest.raises(UserError, match=rf"Part\.share: {sentence}|Part\.share: its {sentence}"):
        methods.register("part")(with_setting(kind, field))


def test_a_setting_named_as_a_method_of_the_door_is_refused(registry):
    rule = type(
        "Mine", (EpochRule,), {"__annotations__": {"kept": int}, "kept": setting(1, "One.")}
    )
    with pytest.raises(UserError, match=r"Mine\.kept: its door has a method of that name"):
        methods.register("mine")(rule)


@pytest.mark.parametrize(
    ("composition", "sentence"),
    [
        ({"relaxaton": "softmax"}, r"relaxaton is nothing .* \(did you mean relaxation\?\)"),
        ({"rules": "warm_up"}, r'its rules is .*, not a tuple of names, as \("warm_up",\)'),
        ({"relaxation": ("softmax",)}, "its relaxation is .*, not a text"),
        ({"settings": [1]}, "its settings is .*, not a dict"),
        (
            {"step_order": "w_first"},
            "its step_order is 'w_first'; use alpha_first or weights_first",
        ),
    ],
)
def test_a_method_of_something_else_is_refused_at_once(registry, composition, sentence):
    with pytest.raises(UserError, match=f"--method=mine: {sentence}"):
        methods.register_method("mine", "of mine", **composition)
