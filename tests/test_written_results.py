"""Documents say what experiments/results/ has, in tables and in sentences."""

import importlib
import re
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tf_darts.errors import UserError

PROGRAMS = ROOT / "experiments"
# Of the documents of which every number is made of records: numbers of settings, of chance, and of
# what others measured.
ELSEWHERE = {
    "results": {
        **{radius: "a radius of finite differences" for radius in ("0.1", "0.01", "0.001")},
        **{ratio: "a step's cost, docs/methods.md" for ratio in ("2.5", "2.8")},
        "0.05": "a usual p",
        "0.125": "the least p of four pairs",
        "0.5": "a setting, --beta_weight",
        "0.6931": "the entropy of two equal weights",
        "1.61": "the entropy of five equal weights",
        "1.6094": "the same",
        "2.079": "the entropy of eight equal weights",
        "93.80": "DARTS-PT's control, as its authors report it",
        "128.3": "docs/small_studies.md",
        "108.9": "docs/small_studies.md",
    },
    "leaderboard": {
        "90.7": "the median of all cells, from the table itself",
        "1.609": "the entropy of five equal weights",
        "0.03": "a setting, SNAS's last temperature",
        "1.3": "a setting, the rule of RobustDARTS' stop",
        "0.0135": "a setting, RobustDARTS' weight decay",
        "93.80": "DARTS-PT's control, as its authors report it",
    },
}


@pytest.fixture
def load(monkeypatch):
    """A program of experiments/ as it imports itself; one of them registers a rule."""
    forget_members(monkeypatch)
    monkeypatch.syspath_prepend(PROGRAMS)
    for name in {file.stem for file in PROGRAMS.glob("*.py")} & set(sys.modules):
        monkeypatch.delitem(sys.modules, name)
    return importlib.import_module


def test_the_documents_agree_with_the_records(load):
    for path, text in load("write_results").written().items():
        assert path.read_text(encoding="utf-8") == text, "run experiments/write_results.py"


def test_another_record_is_another_document(load, monkeypatch):
    """A search that ends elsewhere changes tables and sentences, all of them by themselves."""
    writer, leaderboard = load("write_results"), load("leaderboard")
    runs = leaderboard.read()
    run = next(run for run in runs if (run["method"], run["seed"]) == ("beta_darts", 0))
    run["result"]["scores"][0]["value"] = 12.34
    monkeypatch.setattr(leaderboard, "read", lambda: runs)
    changed = {path.stem: text for path, text in writer.written().items()}
    assert (
        "| `beta_darts` | 0 |" in changed["leaderboard"] and "| 12.34 |" in changed["leaderboard"]
    )
    assert "<!--=min(beta_darts.ends())-->12.3 to" in changed["results"]
    texts = {path.stem: path.read_text(encoding="utf-8") for path in writer.DOCUMENTS}
    assert {"README", "results", "leaderboard", "methods"} <= {
        name for name, text in changed.items() if text != texts[name]
    }


@pytest.mark.parametrize("stem", ELSEWHERE)
def test_every_number_of_a_sentence_is_made_of_records(load, stem):
    """Or it is in the list above; whatever the list has stands in the document."""
    text = (ROOT / "docs" / f"{stem}.md").read_text(encoding="utf-8")
    assert set(load("marked_numbers").unmarked(text)) == set(ELSEWHERE[stem])


def test_methods_are_told_of_in_the_order_of_the_table(load):
    told = re.findall(r"^- `([\w+]+)`: ", (ROOT / "docs/leaderboard.md").read_text(), re.MULTILINE)
    leaderboard = load("leaderboard")
    assert told == list(leaderboard.by_method(leaderboard.read()))


@pytest.mark.parametrize(
    ("written", "value", "anew"),
    [
        ("93.8", 12.345, "12.3"),
        ("1,274", 9876543, "9,876,543"),
        ("1,274", 12, "12"),
        ("+1.8", -0.55, "-0.6"),
        ("+1.8", 0.5, "+0.5"),
        ("2.7e-05", 0.000012345, "1.2e-05"),
        ("21st", 12, "12th"),
        ("12th", 22, "22nd"),
        ("No", 1, "One"),
        ("four", 0, "no"),
        ("fourth", 12, "twelfth"),
        ("Tenth", 3, "Third"),
    ],
)
def test_a_number_is_written_in_the_style_of_the_one_before(load, written, value, anew):
    text = f"of <!--=number-->{written}, and\n"
    made = load("marked_numbers").with_numbers(text, {"number": value})
    assert made == f"of <!--=number-->{anew}, and\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("is <!--=1-->about 1", "no number stands behind <!--=1-->about 1"),
        ("is <!--=nothing-->1", "nothing.*NameError"),
        ("is <!--=1.5-->1", "no whole number"),
        ("is <!--=1.5-->one", "no word"),
        ("is <!--=21-->one", "no word"),
        ("is <!--=2--1-->3", "takes no --"),
        ("is <!--=[[1]][0][0]-->1", "for a reference"),
        ("is\n- <!--=3-->3", "begins with a comment"),
        ("is <!--=open('x')-->1", "NameError"),
    ],
)
def test_a_mark_that_says_nothing_is_refused(load, text, words):
    with pytest.raises(UserError, match=words):
        load("marked_numbers").with_numbers(text, {})


def test_numbers_without_a_mark(load):
    text = """
A 1.5 and `2.5` and [x](y3.5) and <!--=1-->4.5 and 6,
with 7.25.

    8.5

| 9.5 |

<!-- table: 3.5 -->
"""
    assert load("marked_numbers").unmarked(text) == ["1.5", "7.25"]


def test_facts_of_a_search_by_hand(load):
    facts = load("facts")
    cells = ["skip_connect:0 | none:1", "none:0 | none:1", "none:0 | none:1"]
    line = {
        "epochs": [
            {
                "epoch": number,
                "cell": cell,
                "table": {"cifar10": worth},
                "monitors": {"eigenvalue/largest": 0.5 * number, "gap": 7.0 * number},
                "entropy": 1.5,
                "seconds": 60.0 * number,
            }
            for number, (cell, worth) in enumerate(zip(cells, (90.004, 80, 80), strict=True), 1)
        ],
        "result": {
            "cell": cells[2],
            "epoch": 3,
            "scores": [{"score": "cifar10", "value": 80, "percentile": 9.0}],
        },
    }
    search = facts.Search(line)
    assert (search.at(1), search.least(1), search.most(2), search.most(1, 1)) == (
        90.004,
        80,
        80,
        90.004,
    )
    assert search.epochs_with(90.0) == [1] and search.epochs_with(80) == [2, 3]
    assert (search.since(), search.changes()) == (2, 1)
    assert (search.skips(1), search.skips(), search.count("none")) == (1, 0, 2)
    assert (search.eigenvalue(2), search.monitor("gap"), search.end) == (1.0, 21.0, 80)
    assert search.minutes == 3.0
    searches = facts.Searches([search, search])
    assert (searches.mean(), searches.with_end(80), searches.since()) == (80, 2, [2, 2])


def test_probabilities_by_hand(load):
    facts = load("facts")
    assert facts.at_least(2, 2) == pytest.approx(0.25)
    assert facts.at_least(1, 2, 0.25) == pytest.approx(7 / 16)
    assert facts.paired_p([1, 2], [0, 0]) == pytest.approx(0.5)
    assert facts.permutation_p([0, 0, 0], [1, 1, 1]) == pytest.approx(0.1)
