"""A hook of mkdocs: fills the pages of docs/reference with the public names that there are.

`{{ public: PREFIX … }}` becomes an entry for each name of `tf_darts` that is defined in a module
that begins with one of the prefixes, and `{{ module: NAME }}` one for each public name of a module.
So no name is listed twice, and none can be missing: `on_post_build` refuses a site in which one is.
"""

import importlib
import pathlib
import re
import sys
import types
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_darts

_MARK = re.compile(r"^\{\{ (public|module): ([\w. ]+) \}\}$", re.MULTILINE)
_shown: set[str] = set()


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page's text with the marks filled; called by mkdocs."""
    return _MARK.sub(lambda mark: _entries(*mark.groups()), markdown)


def on_post_build(**_: Any) -> None:
    """Raises `ValueError` if a public name of `tf_darts` is on no page; called by mkdocs."""
    missing = set(tf_darts.__all__) - _shown
    if missing:
        raise ValueError(f"docs/reference has no page with {', '.join(sorted(missing))}")


def _entries(kind: str, names: str) -> str:
    if kind == "public":
        prefixes = tuple(names.split())
        home = tf_darts
        public = [name for name, at in tf_darts._MODULES.items() if at.startswith(prefixes)]
        _shown.update(public)
    else:
        home = importlib.import_module(names)
        public = home.__all__
    return "\n\n".join(_entry(home, name) for name in public)


def _entry(home: types.ModuleType, name: str) -> str:
    """A class or function by its docstring; a constant by its value, or its own docstring."""
    value = getattr(home, name)
    if isinstance(value, str):
        return f"### `{name}`\n\nThe constant `{value!r}`."
    if not hasattr(value, "__qualname__"):
        return f"::: {home._MODULES[name]}.{name}"
    place = f"::: {value.__module__}.{value.__qualname__}"
    if value.__qualname__ == name:
        return place
    return f"### {name}\n\n{place}\n    options:\n      show_root_heading: false"
