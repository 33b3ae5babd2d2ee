"""The registry of methods: names, compositions, labels, what runs record."""

import subprocess
import sys

import pytest

from tests.support.registries import forget_members
from tf_darts.bilevel.alpha_terms import AlphaTerm
from tf_darts.bilevel.derivation import Derivation
from tf_darts.bilevel.edge_options import EdgeOption
from tf_darts.bilevel.epoch_rules import EpochRule
from tf_darts.bilevel.relaxation import Relaxation
from tf_darts.config import method_names, methods
from tf_darts.config.presets import computed_settings, configure, configure_texts
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.report.ranking_plot import colours
from tf_darts.study.candidates import select_candidates
from tf_darts.study.settings import training_config


@pytest.fixture
def registry(monkeypatch):
    """What is registered is forgotten when the test ends."""
    forget_members(monkeypatch)


def search(**settings):
    return configure({"mode": "search", "dataset": "ptb", **settings})


def test_help_needs_no_tensorflow():
    code = (
        "import sys; from tf_darts.config import methods, presets; presets.settings();"
        " assert len(methods.methods()) > 5 and 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({}, "darts"),
        ({"hypergradient": "exact"}, "darts_exact"),
        ({"method": "darts_first"}, "darts_first"),
        ({"method": "darts_first", "hypergradient": "finite_difference"}, "darts"),
        ({"method": "joint_simultaneous"}, "joint_simultaneous"),
        ({"alpha_terms": "beta_decay", "hypergradient": "first_order"}, "beta_darts"),
        ({"method": "beta_darts", "hypergradient": "exact"}, "beta_darts+exact"),
        ({"method": "beta_darts", "alpha_terms": ""}, "darts_first"),
        ({"rules": "warm_up", "relaxation": "temperature"}, "annealed_darts+warm_up"),
        ({"step_order": "weights_first"}, "darts+weights_first"),
        ({"hypergradient": "first_order", "rules": "warm_up"}, "darts_first+warm_up"),
        ({"method": "joint_alternating", "rules": "warm_up"}, "joint_alternating+warm_up"),
    ],
)
def test_a_search_is_called_by_what_it_is_made_of(settings, label):
    made = search(**settings)
    assert made.label == label
    assert made.run_dir == f"runs/search_ptb_{label.replace('+', '_')}_seed0"
    assert method_names.label(computed_settings(made)) == label


def test_no_search_is_called_by_parts_that_nobody_asked_for():
    """Whichever file was imported first: beta_darts and sgas are as near as darts_first."""
    asked = {"method": "darts", "hypergradient": "first_order"}
    for kind, part in (("alpha_terms", "entropy"), ("rules", "warm_up")):
        settings = asked | {kind: part}
        assert method_names.label(settings) == f"darts_first+{part}"
        with pytest.MonkeyPatch.context() as patch:
            backwards = dict(reversed(methods.methods().items()))
            patch.setattr(methods, "_methods", backwards)
            assert method_names.label(settings) == f"darts_first+{part}"


def test_a_space_s_own_order_of_the_steps_is_no_choice():
    asked = {"mode": "search", "dataset": "cifar10", "space": "nasbench201"}
    assert configure(asked).label == "darts_first"
    made = configure(asked | {"method": "beta_darts"})
    assert made.label == method_names.label(computed_settings(made)) == "beta_darts"
    other = configure(asked | {"step_order": "alpha_first", "method": "gdas"})
    assert other.step_order == "alpha_first"


def test_old_records_are_called_by_the_methods_of_today():
    assert method_names.label({"optimization": "bilevel", "hypergradient": "first_order"}) == (
        "darts_first"
    )
    joint = {"optimization": "joint_alternating", "hypergradient": "first_order"}
    assert method_names.label(joint) == "joint_alternating"
    assert method_names.current_name("exact") == "darts_exact"
    assert method_names.current_name("random") == "random"
    assert method_names.label({"method": "of_a_file", "hypergradient": "exact"}) == "of_a_file"


def test_the_papers_searches_record_what_they_always_did():
    parts = {"relaxation", "alpha_terms", "rules", "derivation", "step_order"}
    for estimate in ("first_order", "finite_difference", "exact"):
        recorded = computed_settings(search(hypergradient=estimate))
        assert not parts & recorded.keys()
        assert (recorded["method"], recorded["hypergradient"]) == ("darts", estimate)
    recorded = computed_settings(search(method="beta_darts", beta_weight=3.0))
    assert (recorded["method"], recorded["alpha_terms"]) == ("beta_darts", "beta_decay")
    assert recorded["beta_weight"] == 3.0 and not (parts - {"alpha_terms"}) & recorded.keys()


def test_a_run_of_an_old_default_directory_goes_on_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "search_ptb_first_order_seed0").mkdir(parents=True)
    assert search(hypergradient="first_order").run_dir == "runs/search_ptb_first_order_seed0"
    assert search(method="beta_darts").run_dir == "runs/search_ptb_beta_darts_seed0"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"method": "beta_dart"}, r"--method=beta_dart: not known \(did you mean beta_darts"),
        (
            {"relaxation": "tau"},
            "--relaxation=tau: not known; use one of (?=.*softmax).*temperature",
        ),
        ({"rules": "warm_up,warmup"}, r"--rules=warmup: not known \(did you mean warm_up\?\)"),
        ({"rules": "warm_up,warm_up"}, "warm_up is there twice"),
        ({"derivation": ""}, "--derivation=: not known"),
        ({"beta_weight": 2.0}, "it is for --alpha_terms=beta_decay"),
        ({"method": "beta_darts", "beta_weight": -1.0}, "--beta_weight=-1.0: out of range"),
        ({"method": "joint_simultaneous", "step_order": "weights_first"}, "--step_order has no"),
    ],
)
def test_wrong_input_is_one_sentence(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        search(**settings)


def test_a_study_s_sentence_names_its_flag():
    base = {"mode": "search", "dataset": "ptb", "data_dir": ""}
    with pytest.raises(UserError, match=r"--search_settings: --method=beta: not known"):
        configure_texts(base, {"method": "beta"}, "search_settings")
    made = configure_texts(base, {"method": "beta_darts", "beta_weight": "4"}, "search_settings")
    assert made.beta_weight == 4.0


def test_a_new_method_is_everywhere(registry):
    @methods.register("twice")
    class Twice(Relaxation):
        """The softmax of twice alpha."""

        factor: float = setting(2.0, "of alpha", above=0.0)

    methods.register_method(
        "of_mine",
        "twice as sharp",
        relaxation="twice",
        hypergradient="first_order",
        settings={"factor": 3.0, "alpha_learning_rate": 0.5},
        colour="#123456",
    )
    made = search(method="of_mine")
    assert (made.factor, made.alpha_learning_rate, made.label) == (3.0, 0.5, "of_mine")
    assert made.make_parts("relaxation") == (Twice(factor=3.0),)
    assert search(method="of_mine", factor=4.0).factor == 4.0
    assert search(relaxation="twice").factor == 2.0
    study = configure({"mode": "select", "dataset": "pydoc", "candidates": "of_mine", "count": 1})
    (candidate,) = select_candidates(study, training_config(study))
    assert (candidate.source, candidate.search.factor) == ("of_mine", 3.0)
    assert colours([])["of_mine"] == "#123456"


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

    @methods.register("taken")
    class Taken(AlphaTerm):
        """Has a setting that every search has."""

        epochs: int = setting(1, "of its own")

        def value(self, alphas, mixing, moment):
            return 0.0

    with pytest.raises(UserError, match=r"--alpha_terms=taken: its setting epochs is one"):
        search(alpha_terms="taken")


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
