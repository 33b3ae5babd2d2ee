"""What is said of a setting that a command does not have."""

import pytest

from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.study.candidates import select_candidates
from tf_darts.study.settings import search_configs, training_config

SELECT = {"mode": "select", "dataset": "digits", "candidates": "darts,random"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            SELECT | {"validation_examples": 10},
            "--mode=select; it is for trainings on images; put validation_examples=10 into"
            " --train_settings.",
        ),
        (SELECT | {"flip": False}, "put flip=false into --search_settings or --train_settings."),
        (SELECT | {"method": "beta_darts"}, "name beta_darts among the --candidates."),
        (SELECT | {"genotype": "darts_v2"}, "name darts_v2 among the --candidates."),
        (
            SELECT | {"beta_weight": 2.0},
            "it is for --alpha_terms=beta_decay; put beta_weight=2.0 into --search_settings.",
        ),
        (SELECT | {"units": 8}, "it is for searches on texts and trainings on texts; leave it out"),
        (SELECT | {"train_on_all": True}, "it is for trainings on images; leave it out."),
        (SELECT | {"chanels": 8}, r"--chanels is no setting; --mode=select --help lists them."),
        (
            {"mode": "black_box", "dataset": "digits", "batch_size": 8},
            "put batch_size=8 into --train_settings.",
        ),
        (
            {"mode": "tune", "dataset": "digits", "tune": "epochs=1:4", "method": "beta_darts"},
            "put method=beta_darts into --search_settings.",
        ),
        ({"mode": "search", "dataset": "digits", "units": 8}, "leave it out."),
        ({"mode": "search", "dataset": "digits", "chanels": 8}, r"\(did you mean channels\?\)"),
    ],
)
def test_a_refusal_says_where_a_setting_belongs(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        configure(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"train_settings": "validation_examples=10"},
        {"search_settings": "flip=false", "train_settings": "flip=false"},
        {"candidates": "beta_darts,random", "search_settings": "beta_weight=2.0"},
        {"candidates": "darts_v2,random"},
    ],
)
def test_the_advice_works_when_it_is_taken(settings):
    config = configure(SELECT | settings)
    training = training_config(config)
    search_configs(config)
    select_candidates(config, training)
