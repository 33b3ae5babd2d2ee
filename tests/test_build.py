import ast
import importlib.util
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ("examples", "tests", "tf_darts", "tools")

pytestmark = pytest.mark.skipif(
    not (ROOT / "MODULE.bazel").exists(), reason="not in a checkout, so there are no BUILD files"
)


@pytest.fixture(scope="module")
def update_build():
    """The generator as a module."""
    spec = importlib.util.spec_from_file_location("update_build", ROOT / "tools/update_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_repository(update_build, tmp_path):
    """Writes a small repository and returns it."""

    def make(files):
        always = {
            "requirements.txt": "numpy>=1\ntensorflow-datasets>=4\n",
            "pyproject.toml": '[project.optional-dependencies]\ntest = ["pytest>=8"]\n',
            "tf_darts/__init__.py": "",
            "tools/run.py": "",
            "tests/conftest.py": "import pytest\n",
        }
        for name, text in (always | files).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return update_build.Repository(tmp_path)

    return make


def _targets(text):
    """The calls of a BUILD file as {name: (rule, {attribute: value})}."""
    targets = {}
    for statement in ast.parse(text).body:
        if not isinstance(statement.value, ast.Call):
            continue
        given = {}
        for keyword in statement.value.keywords:
            value = ast.unparse(keyword.value).replace("requirement('", "'@")
            given[keyword.arg] = ast.literal_eval(value.replace("')", "'"))
        if "name" in given:
            targets[given.pop("name")] = statement.value.func.id, given
    return targets


def test_build_files_are_what_the_imports_say(update_build):
    expected = update_build.Repository().build_files()
    for path, text in expected.items():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        name = path.relative_to(ROOT)
        assert there == text, f"{name} is out of date: run python tools/update_build.py"
    folders = [ROOT / name for name in FOLDERS]
    assert {path for folder in folders for path in folder.rglob("BUILD")} == set(expected)


def test_every_file_is_in_a_target(update_build):
    listed = set()
    for path, text in update_build.Repository().build_files().items():
        for _, given in _targets(text).values():
            listed |= {path.parent / name for name in given["srcs"]}
    folders = [ROOT / name for name in FOLDERS]
    assert listed == {path for folder in folders for path in folder.rglob("*.py")}


def test_rules_and_dependencies(make_repository):
    repository = make_repository(
        {
            "tf_darts/main.py": "from tf_darts.data import words\n",
            "tf_darts/errors.py": '"""Nothing."""\nimport json\n',
            "tf_darts/data/__init__.py": "",
            "tf_darts/data/words.py": (
                "import numpy as np\nfrom tf_darts.errors import UserError\n"
                "from tf_darts import __version__\nfrom tf_darts.data import sums\n"
                "TABLE = 'sums.tsv'\n"
            ),
            "tf_darts/data/sums.py": "import tensorflow_datasets\n",
            "tf_darts/data/sums.tsv": "",
            "tests/data/test_words.py": "import tf_darts.data.words\nTOOL = 'run.py'\n",
            "tests/bazel_main.py": "import pytest\n",
        }
    )
    files = {
        path.parent.relative_to(repository.root).as_posix(): _targets(text)
        for path, text in repository.build_files().items()
    }
    assert files["tf_darts"] == {
        "tf_darts": ("py_library", {"srcs": ["__init__.py"]}),
        "errors": ("py_library", {"srcs": ["errors.py"]}),
        "main": ("py_binary", {"srcs": ["main.py"], "deps": ["//tf_darts/data:words"]}),
    }
    assert files["tf_darts/data"]["words"] == (
        "py_library",
        {
            "srcs": ["words.py"],
            "data": ["sums.tsv"],
            "deps": [":sums", "//tf_darts", "//tf_darts:errors", "@numpy"],
        },
    )
    assert files["tf_darts/data"]["sums"][1]["deps"] == [
        "@importlib_resources",
        "@tensorflow-datasets",
    ]
    assert files["tools"] == {"run": ("py_binary", {"srcs": ["run.py"]})}
    assert files["tests"] == {
        "conftest": (
            "py_library",
            {"testonly": True, "srcs": ["conftest.py"], "deps": ["@pytest"]},
        ),
        "data/test_words": (
            "py_test",
            {
                "srcs": ["bazel_main.py", "data/test_words.py"],
                "args": ["$(rootpath data/test_words.py)"],
                "data": ["//:project", "//tools:run"],
                "main": "bazel_main.py",
                "deps": [":conftest", "//tf_darts/data:words", "@pytest"],
            },
        ),
    }


def test_public_names_are_of_the_modules_that_have_them(make_repository):
    repository = make_repository(
        {
            "tf_darts/__init__.py": "_PUBLIC = {'tf_darts.a': ('one',), 'tf_darts.b': ('two',)}\n",
            "tf_darts/a.py": "from tf_darts import __version__\n",
            "tf_darts/b.py": "",
            "tests/test_names.py": "import tf_darts\nfrom tf_darts import two\ntf_darts.one\n",
        }
    )
    targets = _targets(repository.build_files()[repository.root / "tests" / "BUILD"])
    deps = targets["test_names"][1]["deps"]
    assert deps == [":conftest", "//tf_darts", "//tf_darts:a", "//tf_darts:b", "@pytest"]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import torch\n", "imports torch, which requirements.txt does not name"),
        ("import tf_darts.gone\n", "imports tf_darts.gone, which is not there"),
        ("from . import errors\n", "write imports absolutely"),
        ("import tf_darts.b\n", "circle: tf_darts/"),
    ],
)
def test_imports_that_bazel_could_not_follow(make_repository, source, sentence):
    repository = make_repository({"tf_darts/a.py": source, "tf_darts/b.py": "import tf_darts.a\n"})
    with pytest.raises(ValueError, match=sentence):
        repository.build_files()


def test_buildifier_has_nothing_to_say(update_build):
    local = os.pathsep.join(
        str(ROOT / folder / "node_modules" / ".bin") for folder in (".venv/buildifier", ".")
    )
    buildifier = shutil.which("buildifier") or shutil.which("buildifier", path=local)
    if buildifier is None:
        pytest.skip("buildifier is not installed; tools/test.sh installs it where npm is")
    files = [ROOT / "BUILD", ROOT / "MODULE.bazel", *update_build.Repository().build_files()]
    done = subprocess.run(
        [buildifier, "--lint=warn", "--mode=check", *map(str, files)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
