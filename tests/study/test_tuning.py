"""Settings with ranges, and the runs of a trial."""

import keras_tuner
import pytest

from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.study.plan import plan
from tf_darts.study.settings import search_config, training_config
from tf_darts.study.tuning import check_tuned, configs_of, parse_tuned, refusal


def select(**settings):
    return configure({"mode": "select", "dataset": "pydoc", **settings})


def configs():
    config = select(search_settings="units=8")
    return {"train": training_config(config), "search": search_config(config)}


def test_what_is_tuned():
    text = "learning_rate=1:40:log,search.alpha_learning_rate=0.001:0.1,units=8:32"
    tuned = {setting.name: setting for setting in parse_tuned(text, configs())}
    assert list(tuned) == ["train.learning_rate", "search.alpha_learning_rate", "train.units"]
    assert tuned["train.learning_rate"].logarithmic
    hyperparameters = keras_tuner.HyperParameters()
    for setting in tuned.values():
        value = setting.value(hyperparameters)
        assert setting.low <= value <= setting.high
    assert isinstance(tuned["train.units"].value(hyperparameters), int)
    alone = {"search": configs()["search"]}
    assert parse_tuned("units=2:4", alone)[0].name == "search.units"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rate=1:2", "rate is no setting of trainings on texts or searches on texts"),
        ("search.learning_rate=1:2", "search.learning_rate is no setting"),
        ("other.units=1:2", "other.units is no setting"),
        ("learning_rate=1", "is no range"),
        ("learning_rate=1:2:cubic", "is no range"),
        ("learning_rate=a:b", "bounds that are no numbers"),
        ("units=1.5:3", "bounds that are no whole numbers"),
        ("learning_rate=3:2", "needs LOW below HIGH"),
        ("hidden_dropout=0:0.5:log", "needs LOW below HIGH and above 0"),
        ("hidden_dropout=0:1.5", "--tune: --hidden_dropout=1.5: out of range"),
        ("seed=1:3", "seed is no quantity"),
        ("dataset=1:3", "dataset is no quantity"),
    ],
)
def test_ranges_that_are_none(text, words):
    with pytest.raises(UserError, match=words):
        parse_tuned(text, configs())


def tuning(tune, **settings):
    """A tuning, and its settings with ranges."""
    config = configure({"mode": "tune", "dataset": "pydoc", "tune": tune, **settings})
    return config, parse_tuned(tune, configs_of(config, {}))


def test_a_trial_is_what_the_command_line_makes_of_its_values():
    """A rate that is constant stays so; the run is labelled and checked like any other."""
    config, tuned = tuning("search.weight_learning_rate=1:40:log")
    search = configs_of(config, {tuned[0]: 1.5})["search"]
    assert (search.weight_learning_rate, search.final_weight_learning_rate) == (1.5, 1.5)
    assert configs_of(config, {})["search"].weight_learning_rate == 20


@pytest.mark.parametrize(
    ("tune", "settings", "words"),
    [
        ("units=8:9,train.units=8:9", {}, "train.units is given twice; give it once"),
        ("checkpoint_steps=1:9", {}, "checkpoint_steps changes nothing that is computed"),
        (
            "search.finite_difference_radius=0.01:1",
            {"search_settings": "method=darts_first"},
            "--tune: --finite_difference_radius has no meaning for --hypergradient=first_order",
        ),
        (
            "search.warm_up_epochs=1:50",
            {"search_settings": "rules=warm_up,epochs=20"},
            "--tune: --warm_up_epochs=50",
        ),
        ("units=8:9", {"train_settings": "units=7"}, "units has a value in --train_settings"),
        ("epochs=1:3", {"tuner": "hyperband"}, "epochs are chosen by --tuner=hyperband itself"),
        (
            "learning_rate_decay=0.9:0.99",
            {"dataset": "digits", "genotype": "darts_v2"},
            "--tune: --learning_rate_decay has no meaning for --schedule=cosine",
        ),
    ],
)
def test_what_no_trial_could_have_is_refused_before_any_work(tune, settings, words):
    config = configure({"mode": "tune", "dataset": "pydoc", "tune": tune, **settings})
    with pytest.raises(UserError, match=words):
        plan(config)


def test_values_that_do_not_go_together_fail_their_trial_alone():
    config, tuned = tuning("search.weight_learning_rate=1:9,search.final_weight_learning_rate=1:9")
    check_tuned(config, tuned)  # each bound goes with some of the other setting's
    first, final = tuned
    assert refusal(config, {first: 9.0, final: 1.0}) == ""
    assert "--final_weight_learning_rate" in refusal(config, {first: 2.0, final: 3.0})


def test_a_refused_trial_is_a_failed_candidate():
    config, _ = tuning("search.weight_learning_rate=1:9,search.final_weight_learning_rate=1:9")
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.values |= {
        "search.weight_learning_rate": 2.0,
        "search.final_weight_learning_rate": 3.0,
    }
    trial = keras_tuner.engine.trial.Trial(hyperparameters, "0")
    candidate = plan(config).make_candidate(trial)
    assert "--tune: " in candidate.refused
    assert candidate.settings == dict(hyperparameters.values)


def test_a_trial_of_hyperband_says_how_many_epochs_it_has():
    config, _ = tuning("learning_rate=1:40:log", tuner="hyperband", genotype="darts_v2")
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.values |= {"train.learning_rate": 2.0, "tuner/epochs": 3}
    candidate = plan(config).make_candidate(keras_tuner.engine.trial.Trial(hyperparameters, "0"))
    assert (candidate.training.epochs, candidate.training.learning_rate) == (3, 2.0)
    assert candidate.settings == {"epochs": 3, "train.learning_rate": 2.0}
