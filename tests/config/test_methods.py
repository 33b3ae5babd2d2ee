"""The registry of methods: names, compositions, labels, what runs record."""

import subprocess
import sys

import pytest

from tests.support.registries import forget_members
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


def test_a_method_may_have_an_order_that_its_space_has_not(registry):
    asked = {"mode": "search", "dataset": "cifar10", "space": "nasbench201"}
    methods.register_method("unsaid", "of no order", hypergradient="first_order")
    methods.register_method("said", "of the paper's order", step_order="alpha_first")
    methods.register_method(
        "there", "of its own", by_space={"nasbench201": {"step_order": "alpha_first"}}
    )
    for name, order in (
        ("unsaid", "weights_first"),
        ("said", "alpha_first"),
        ("there", "alpha_first"),
    ):
        assert configure(asked | {"method": name}).step_order == order
        given = asked | {"method": name, "step_order": "weights_first"}
        assert configure(given).step_order == "weights_first"


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
            {"method": "darts_pt+beta_decay"},
            r"reports call it so; give --method=darts_pt --alpha_terms=beta_decay\.",
        ),
        ({"method": "darts+nothing"}, r"--method=darts\+nothing: not known"),
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
