"""The model card: what a version is, for people (Markdown) and programs (JSON)."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_darts.formats.versions import storing

CARD_FILE = "model_card.json"


def write_card(folder: pathlib.Path, card: Mapping[str, Any]) -> None:
    """Writes `model_card.json` and `model_card.md` into a version's folder.

    Args:
      folder: beside the model.
      card: by heading, as JSON types.

    Raises:
      StorageError: they cannot be written.
    """
    with storing(folder):
        (folder / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        (folder / "model_card.md").write_text(_markdown(card), encoding="utf-8")


def _markdown(card: Mapping[str, Any]) -> str:
    lines = ["# Model card", ""]
    lines += [f"- {name}: {value}" for name, value in card.items() if not isinstance(value, dict)]
    for heading, content in card.items():
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
