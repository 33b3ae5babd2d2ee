"""`model_card.md` and `model_card.json`: for people, programs, and the Hugging Face Hub."""

import json

import pytest

from tf_darts.config.export import ExportConfig
from tf_darts.errors import UserError
from tf_darts.formats.model_card import hub_fields, write_card

FIELDS = ("mit", "image-classification", "digits", "accuracy")


@pytest.fixture
def written(tmp_path):
    def write(card):
        write_card(tmp_path, card)
        assert json.loads((tmp_path / "model_card.json").read_text("utf-8")) == card
        return (tmp_path / "model_card.md").read_text("utf-8")

    return write


def test_a_card_begins_with_the_hubs_front_matter(written):
    yaml = pytest.importorskip("yaml")
    hub = hub_fields(*FIELDS, {"validation_accuracy": 91.5}, {"scores": {"accuracy": 90.0}})
    text = written({"license": "mit", "space": "a: b", "hub": hub, "data": {"n": 1234}})
    before, front, body = text.split("---\n", 2)
    assert before == "" and yaml.safe_load(front) == hub
    assert body.startswith("\n# Model card\n") and "## Hub" not in body
    assert "- license: mit\n- space: a: b\n" in body and "- n: 1,234" in body


def test_scores_stand_by_part():
    (index,) = hub_fields(*FIELDS, {"validation_accuracy": 91.5}, None)["model-index"]
    (result,) = index["results"]
    assert result["dataset"] == {"type": "digits", "name": "digits", "split": "validation"}
    assert result["metrics"] == [{"type": "accuracy", "value": 91.5}]


def test_without_scores_there_is_no_index(written):
    hub = hub_fields(*FIELDS, {}, {})
    assert "model-index" not in hub and 'license: "mit"' in written({"hub": hub})


def test_a_card_without_front_matter(written):
    assert written({"a": 1}).startswith("# Model card\n")


@pytest.mark.parametrize("name", ["Apache 2", "", "MIT", "a b"])
def test_licences_are_named_as_the_hub_does(name):
    settings = {"run_dir": "run", "export_dir": "models"}
    good = ExportConfig(**settings, license="apache-2.0")
    assert good.validated({}, good) == good
    bad = ExportConfig(**settings, license=name)
    with pytest.raises(UserError, match=r"--license=.*give one of these names, or unknown\.$"):
        bad.validated({}, bad)
