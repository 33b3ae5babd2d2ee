"""What the sentences about a study's settings advise is taken once, and works."""

import pytest

from tf_darts.cells import genotype_files
from tf_darts.cells.published import PUBLISHED
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.study.plan import plan

SELECT = {"mode": "select", "dataset": "pydoc"}
TUNE = {"mode": "tune", "dataset": "pydoc", "genotype": "darts_v2"}
RATE = TUNE | {"tune": "learning_rate=1:2"}


@pytest.mark.parametrize(
    ("wrong", "sentence", "right"),
    [
        (SELECT | {"candidates": ","}, "name at least one source", {"candidates": "random"}),
        (
            SELECT | {"candidates": "random", "search_settings": "units=8"},
            "leave it out",
            {"search_settings": ""},
        ),
        (SELECT | {"candidates": "random", "snapshots": 2}, "leave it out", {"snapshots": 0}),
        (SELECT | {"candidates": "enas,enas"}, "name each source once", {"candidates": "enas"}),
        (
            SELECT | {"candidates": "radnom"},
            "did you mean random",
            {"candidates": "random"},
        ),
        (SELECT | {"search_settings": "units"}, "NAME=VALUE", {"search_settings": "units=8"}),
        (
            SELECT | {"search_settings": "units=8,units=9"},
            "give it once",
            {"search_settings": "units=8"},
        ),
        (
            SELECT | {"candidates": "exact", "search_settings": "hypergradient=exact"},
            "decided by the kind of the candidates; leave it out there",
            {"search_settings": ""},
        ),
        (SELECT | {"train_settings": "seed=3"}, "leave it out there", {"train_settings": ""}),
        (
            {"mode": "select", "dataset": "digits", "train_settings": "train_on_all=true"},
            "leave it out there",
            {"train_settings": ""},
        ),
        (TUNE, "for example --tune=learning_rate=1:40:log", {"tune": "learning_rate=1:40:log"}),
        (TUNE | {"tune": "rate=1:2"}, "as --help lists them", {"tune": "learning_rate=1:2"}),
        (TUNE | {"tune": "seed=1:2"}, "leave it out", RATE),
        (
            TUNE | {"tune": "learning_rate=1"},
            "write learning_rate=LOW:HIGH or learning_rate=LOW:HIGH:log",
            RATE,
        ),
        (TUNE | {"tune": "learning_rate=a:b"}, "no numbers; give such ones", RATE),
        (TUNE | {"tune": "units=1.5:3"}, "whole numbers; give such ones", {"tune": "units=2:3"}),
        (TUNE | {"tune": "learning_rate=2:1"}, "needs LOW below HIGH", RATE),
        (
            TUNE | {"tune": "hidden_dropout=0:0.5:log"},
            "and above 0",
            {"tune": "hidden_dropout=0.1:0.5:log"},
        ),
        (RATE | {"search_settings": "units=8"}, "leave it out", None),
        (RATE | {"tuner": "hyperband", "trials": 3}, "leave it out", None),
    ],
)
def test_advice_works(wrong, sentence, right):
    with pytest.raises(UserError, match=sentence):
        plan(configure(wrong))
    if right is None:  # the setting is left out
        right = {}
        wrong = {k: v for k, v in wrong.items() if k not in ("search_settings", "trials")}
    plan(configure(wrong | right))


def test_two_files_of_one_name(tmp_path):
    def settings(*folders):
        paths = [tmp_path / folder / "run" / "genotype.json" for folder in folders]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            genotype_files.save(path, PUBLISHED["recurrent"]["enas"])
        return paths

    files = settings("a", "b")
    with pytest.raises(UserError, match=r"run_genotype is there twice; .* rename the folder"):
        plan(configure(SELECT | {"candidates": ",".join(map(str, files))}))
    renamed = files[1].parent.rename(tmp_path / "b" / "another") / "genotype.json"
    plan(configure(SELECT | {"candidates": f"{files[0]},{renamed}"}))
