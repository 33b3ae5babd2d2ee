import ast
import pathlib
import re
import tomllib

import tf_darts

ROOT = pathlib.Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _names(lines):
    """Normalised distribution names of requirement lines."""
    names = (re.match(r"[\w.-]+", line) for line in lines)
    return {re.sub(r"[-_.]+", "-", name[0]).lower() for name in names if name}


def _requirements(file):
    return _names((ROOT / file).read_text(encoding="utf-8").splitlines())


def test_pyproject_takes_its_dependencies_from_requirements():
    assert PYPROJECT["project"]["dynamic"] == ["version", "dependencies"]
    dynamic = PYPROJECT["tool"]["setuptools"]["dynamic"]
    assert dynamic["dependencies"] == {"file": ["requirements.txt"]}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines == sorted(lines, key=str.lower)
    assert all(">=" in line for line in lines), "each dependency needs the oldest good version"


def test_requirements_are_locked_for_bazel():
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    wanted = _requirements("requirements.txt") | _names(line for extra in extras for line in extra)
    assert wanted <= _requirements("requirements_lock.txt")


def test_every_dependency_is_justified():
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    justified = _names(re.findall(r"^- `([\w.-]+)`", text, re.MULTILINE))
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    assert justified == _requirements("requirements.txt") | _names(
        line for extra in extras for line in extra
    )


def test_version_stands_in_one_place():
    dynamic = PYPROJECT["tool"]["setuptools"]["dynamic"]
    assert dynamic["version"] == {"attr": "tf_darts.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", tf_darts.__version__)
    sources = [*ROOT.joinpath("tf_darts").rglob("*.py"), ROOT / "MODULE.bazel"]
    quoted = f'"{tf_darts.__version__}"'
    there = [file for file in sources if file.exists() and quoted in file.read_text("utf-8")]
    assert there == [ROOT / "tf_darts" / "__init__.py"]


def test_every_module_says_what_it_is():
    for file in ROOT.joinpath("tf_darts").rglob("*.py"):
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), file
