"""The model card: what a version is, for people (Markdown) and programs (JSON).

`model_card.md` begins with the front matter that the Hugging Face Hub reads
(https://huggingface.co/docs/hub/model-cards), so that the folder can be put there as it is with the
card as its README.md.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_darts.formats.versions import storing

CARD_FILE = "model_card.json"
HUB = "hub"  # the part of a card that is the front matter


def hub_fields(
    license: str,
    task: str,
    dataset: str,
    score: str,
    result: Mapping[str, Any],
    tested: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The front matter of a card.

    Args:
      license: of the weights.
      task: as the Hub names it, "image-classification".
      dataset: its name here, which need not be one of the Hub's.
      score: "accuracy" (%) or "perplexity".
      result: of the training; has `validation_{score}` where there was a validation part.
      tested: the test's "scores", or None.
    """
    scores = {"validation": result.get(f"validation_{score}")}
    scores["test"] = (tested or {}).get("scores", {}).get(score)
    results = [
        {
            "task": {"type": task},
            "dataset": {"type": dataset, "name": dataset, "split": part},
            "metrics": [{"type": score, "value": value}],
        }
        for part, value in scores.items()
        if value is not None
    ]
    index = [{"name": f"tf_darts network for {dataset}", "results": results}] if results else []
    return {
        "license": license,
        "library_name": "tf_darts",
        "pipeline_tag": task,
        "tags": ["tensorflow", "neural-architecture-search", "darts"],
        "metrics": [score],
        **({"model-index": index} if index else {}),
    }


def write_card(folder: pathlib.Path, card: Mapping[str, Any]) -> None:
    """Writes `model_card.json` and `model_card.md` into a version's folder.

    Args:
      folder: beside the model.
      card: by heading, as JSON types; `HUB` is the front matter, and may be missing.

    Raises:
      StorageError: they cannot be written.
    """
    with storing(folder):
        (folder / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        (folder / "model_card.md").write_text(_markdown(card), encoding="utf-8")


def _markdown(card: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in card.items() if name != HUB}
    # JSON is YAML; a line for each field is what people expect there.
    fields = [f"{name}: {json.dumps(value)}" for name, value in card.get(HUB, {}).items()]
    lines = ["---", *fields, "---", ""] if fields else []
    lines += ["# Model card", ""]
    lines += [f"- {name}: {value}" for name, value in shown.items() if not isinstance(value, dict)]
    for heading, content in shown.items():
        if isinstance(content, dict):
            lines += ["", f"## {heading.capitalize()}", ""]
            lines += [f"- {name}: {_text(value)}" for name, value in content.items()]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(entry)}" for name, entry in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
