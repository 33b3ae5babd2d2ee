"""The texts of a study: settings of its runs, ranges of what is tuned."""

import re

import pytest

from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.study.run_study import run_study
from tf_darts.study.settings import (
    naming,
    parse_assignments,
    run_settings,
    search_config,
    training_config,
)


def select(**settings):
    return configure({"mode": "select", "dataset": "pydoc", **settings})


def test_assignments():
    assert parse_assignments("a=1, b = x:y,", "train_settings") == {"a": "1", "b": "x:y"}
    assert parse_assignments("", "train_settings") == {}
    assert parse_assignments("rules=, epochs=3", "search_settings") == {"rules": "", "epochs": "3"}
    text = "rules=warm_up, skip_stop,epochs=3"
    assert parse_assignments(text, "search_settings") == {
        "rules": "warm_up,skip_stop",
        "epochs": "3",
    }


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=1,b", "epochs=1,b"])
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
    stages = "stage_settings=layers:3/3/4,skip_dropout:0/0/0.1"
    shrinking = select(dataset="digits", search_settings=f"method=p_darts,{stages}")
    assert f"stage_settings={search_config(shrinking).stage_settings}" == stages


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("units=many", "--train_settings: units=many is not a whole number"),
        ("learning_rate=x", "is not a number"),
        ("epochs=0", "--train_settings: --epochs=0: out of range"),
        ("unit=3", r"--train_settings: --unit is no setting \(did you mean units\?\)"),
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


def test_operations_are_the_studys_so_that_random_cells_have_them():
    asked = {"mode": "select", "dataset": "digits"}
    with pytest.raises(UserError, match="give --operations=s2"):
        search_config(configure(asked | {"search_settings": "operations=s2"}))
    assert search_config(configure(asked | {"operations": "s2"})).operations


def test_one_text_serves_several_kinds_of_searches():
    config = select(search_settings="units=8,alpha_learning_rate=0.1")
    joint = search_config(config, {"optimization": "joint_simultaneous"}, lenient=True)
    assert joint.units == 8 and joint.optimization == "joint_simultaneous"
    assert joint.alpha_learning_rate != 0.1
    with pytest.raises(UserError, match="--alpha_learning_rate has no meaning"):
        search_config(config, {"optimization": "joint_simultaneous"})
    bilevel = search_config(config, {"hypergradient": "first_order"}, lenient=True)
    assert bilevel.alpha_learning_rate == 0.1
    with pytest.raises(UserError, match="hypergradient is decided by the kind"):
        search_config(select(search_settings="hypergradient=exact"), {"hypergradient": "exact"})


def test_settings_of_runs_are_settings_of_the_study():
    settings = run_settings("train", training_config(select(train_settings="units=12")))
    assert settings["train.units"] == 12 and "train.run_dir" not in settings


def test_a_refusal_of_its_runs_names_the_flag_of_the_study():
    config = configure({"mode": "select", "dataset": "digits", "candidates": "random"})
    message = re.escape("--train_settings: use a smaller --batch_size.")
    with pytest.raises(UserError, match=message), naming("train_settings", config):
        raise UserError("use a smaller --batch_size.")
    message = r"^--data_dir=pictures is no directory"  # the study has that flag itself
    with pytest.raises(UserError, match=message), naming("train_settings", config):
        raise UserError("--data_dir=pictures is no directory.")


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"candidates": "darts", "search_settings": "batch_size=2000"}, "search_settings"),
        ({"candidates": "random", "train_settings": "batch_size=2000"}, "train_settings"),
        ({"candidates": "random", "train_settings": "validation_examples=2000"}, "train_settings"),
    ],
)
def test_data_too_small_are_refused_by_the_flag_of_the_study(settings, flag, tmp_path):
    study = {"mode": "select", "dataset": "digits", "run_dir": str(tmp_path / "study")}
    with pytest.raises(UserError, match=f"^--{flag}: "):
        run_study(configure(study | settings))
    assert not (tmp_path / "study").exists()
