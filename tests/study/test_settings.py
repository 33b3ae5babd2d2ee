"""The texts of a study: settings of its runs, ranges of what is tuned."""

import keras_tuner
import pytest

from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.study.settings import (
    parse_assignments,
    parse_tuned,
    run_settings,
    search_config,
    training_config,
)


def select(**settings):
    return configure({"mode": "select", "dataset": "pydoc", **settings})


def test_assignments():
    assert parse_assignments("a=1, b = x:y,", "train_settings") == {"a": "1", "b": "x:y"}
    assert parse_assignments("", "train_settings") == {}


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=1,b"])
def test_assignments_that_are_none(text):
    with pytest.raises(UserError, match="is not of the form NAME=VALUE"):
        parse_assignments(text, "train_settings")


def test_texts_become_values_of_the_settings_types():
    config = select(train_settings="units=12,learning_rate=0.5", seed=3)
    training = training_config(config)
    assert (training.units, training.learning_rate, training.seed) == (12, 0.5, 3)
    assert training.batch_size == 64, "the data set's own"
    images = configure(
        {"mode": "select", "dataset": "digits", "search_settings": "flip=true,channels=4"}
    )
    search = search_config(images)
    assert search.flip is True and search.channels == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("units=many", "--train_settings: units=many is not a whole number"),
        ("learning_rate=x", "is not a number"),
        ("epochs=0", "--train_settings: --epochs=0: out of range"),
        ("unit=3", "--train_settings: --unit has no meaning"),
        ("seed=3", "seed is decided by the study"),
        ("genotype=enas", "genotype is decided by the study"),
        ("units=3,units=4", "units is given twice"),
    ],
)
def test_wrong_texts(text, words):
    with pytest.raises(UserError, match=words):
        training_config(select(train_settings=text))


def test_without_a_validation_part_nothing_can_be_ranked():
    config = configure(
        {"mode": "select", "dataset": "digits", "train_settings": "train_on_all=true"}
    )
    with pytest.raises(UserError, match="train_on_all has no validation part"):
        training_config(config)
    wrong = configure(
        {"mode": "select", "dataset": "digits", "train_settings": "train_on_all=perhaps"}
    )
    with pytest.raises(UserError, match="train_on_all=perhaps is not true or false"):
        training_config(wrong)


def test_one_text_serves_several_kinds_of_searches():
    config = select(search_settings="units=8,alpha_learning_rate=0.1")
    joint = search_config(config, lenient=True, optimization="joint_simultaneous")
    assert joint.units == 8 and joint.optimization == "joint_simultaneous"
    assert joint.alpha_learning_rate != 0.1
    with pytest.raises(UserError, match="--alpha_learning_rate has no meaning"):
        search_config(config, optimization="joint_simultaneous")
    bilevel = search_config(config, lenient=True, hypergradient="first_order")
    assert bilevel.alpha_learning_rate == 0.1
    with pytest.raises(UserError, match="hypergradient is decided by the kind"):
        search_config(select(search_settings="hypergradient=exact"), hypergradient="exact")


def test_settings_of_runs_are_settings_of_the_study():
    settings = run_settings("train", training_config(select(train_settings="units=12")))
    assert settings["train.units"] == 12 and "train.run_dir" not in settings


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
