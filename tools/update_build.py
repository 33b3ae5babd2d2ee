"""Writes the BUILD files of code, programs and tests from what the Python files import.

  python tools/update_build.py

Run it after adding, moving or deleting a file or an import; tests/test_build.py fails where that
was forgotten. The BUILD file and MODULE.bazel of the repository's root are written by hand.
"""

import ast
import graphlib
import pathlib
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = "tf_darts"
PROGRAMS = ("examples", "tools")  # folders of files that are run

# Modules whose distribution has another name.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl-py",
    "grpc": "grpcio",
    "sklearn": "scikit-learn",
    "tensorflow_serving": "tensorflow-serving-api",
    "yaml": "pyyaml",
}
# What a distribution needs without declaring it, see docs/dependencies.md.
_UNDECLARED = {"tensorflow-datasets": ("importlib_resources",)}
_PYTEST_MAIN = "bazel_main.py"


class Repository:
    """The Python files of a checkout, the targets they make, and what these need.

    Attributes:
      root: the checkout.
    """

    def __init__(self, root: pathlib.Path = ROOT) -> None:
        self.root = root
        lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for extra in project["optional-dependencies"].values():
            lines += extra
        self._public = _public_names(root / PACKAGE / "__init__.py")
        names = (re.match(r"[\w.-]+", line.strip()) for line in lines)
        self._distributions = {_normal(name[0]): name[0] for name in names if name}

    def build_files(self) -> dict[pathlib.Path, str]:
        """The generated BUILD files by path.

        Raises:
          ValueError: a file imports something that is neither here nor required, or the modules
            import one another in a circle.
        """
        files = {}
        packages = sorted(file.parent for file in (self.root / PACKAGE).rglob("__init__.py"))
        programs = [self.root / name for name in PROGRAMS]
        for folder in [*packages, *filter(pathlib.Path.is_dir, programs)]:
            targets = [self._target(file) for file in sorted(folder.glob("*.py"))]
            files[folder / "BUILD"] = _build_file(targets)
        tests = self.root / "tests"
        sources = sorted(file for file in tests.rglob("*.py") if file.name != _PYTEST_MAIN)
        files[tests / "BUILD"] = _build_file([self._test_target(file) for file in sources])
        self._check_no_circle(packages)
        return files

    def _target(self, file: pathlib.Path) -> str:
        """A program or a module of the package."""
        binary = file.parent.name in PROGRAMS or file.name == "main.py"
        name = file.parent.name if file.name == "__init__.py" else file.stem
        source = file.read_text(encoding="utf-8")
        # A file that is read rather than imported belongs to the module that names it.
        others = (other.name for other in file.parent.glob("*.*") if other.suffix != ".py")
        return _call(
            "py_binary" if binary else "py_library",
            name=name,
            srcs=[file.name],
            data=sorted(other for other in others if other in source),
            deps=self._deps(file),
        )

    def _test_target(self, file: pathlib.Path) -> str:
        """A test, or what tests share."""
        tests = self.root / "tests"
        path = file.relative_to(tests).as_posix()
        name = path.removesuffix(".py")
        if not file.name.startswith("test_"):
            return _call("py_library", name=name, testonly=True, srcs=[path], deps=self._deps(file))
        shared = [
            f":{(folder / 'conftest').relative_to(tests).as_posix()}"
            for folder in file.parents
            if folder.is_relative_to(tests) and (folder / "conftest.py").exists()
        ]
        pytest = f'requirement("{self._distributions["pytest"]}")'
        source = file.read_text(encoding="utf-8")
        programs = sorted(file for name in PROGRAMS for file in (self.root / name).glob("*.py"))
        started = [f"//{p.parent.name}:{p.stem}" for p in programs if p.name in source]
        if f"{PACKAGE}.main" in source:
            started.append(f"//{PACKAGE}:main")
        return _call(
            "py_test",
            name=name,
            srcs=[_PYTEST_MAIN, path],
            args=[f"$(rootpath {path})"],
            data=_sorted({"//:project", *started}),
            main=_PYTEST_MAIN,
            deps=_sorted({*self._deps(file), *shared, pytest}),
        )

    def _deps(self, file: pathlib.Path) -> list[str]:
        """The labels of what a file imports, wherever in the file it does."""
        here = file.parent.relative_to(self.root).as_posix()
        labels = set()
        for name in self._imports(file):
            top = name.split(".")[0]
            if top == PACKAGE:
                labels.add(self._label(name, file).replace(f"//{here}:", ":"))
            elif file.with_name(f"{top}.py").exists():
                labels.add(f":{top}")  # programs stand beside one another on Python's path
            elif top not in sys.stdlib_module_names:
                distribution = _normal(_DISTRIBUTIONS.get(top, top))
                if distribution not in self._distributions:
                    raise ValueError(f"{file}: imports {top}, which requirements.txt does not name")
                for need in (self._distributions[distribution], *_UNDECLARED.get(distribution, ())):
                    labels.add(f'requirement("{need}")')
        return _sorted(labels)

    def _imports(self, file: pathlib.Path) -> Iterator[str]:
        """Dotted names; those of this package are names of modules or packages."""
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    raise ValueError(f"{file}:{node.lineno}: write imports absolutely")
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield self._public.get(inner) or (inner if self._file(inner) else node.module)
            elif isinstance(node, ast.Attribute) and ast.unparse(node) in self._public:
                yield self._public[ast.unparse(node)]

    def _file(self, module: str) -> pathlib.Path | None:
        """The file of a module or package of this repository."""
        path = self.root.joinpath(*module.split("."))
        candidates = (path.with_suffix(".py"), path / "__init__.py")
        return next((candidate for candidate in candidates if candidate.is_file()), None)

    def _label(self, module: str, importer: pathlib.Path) -> str:
        file = self._file(module)
        if file is None:
            raise ValueError(f"{importer}: imports {module}, which is not there")
        folder = file.parent.relative_to(self.root).as_posix()
        return f"//{folder}" if file.name == "__init__.py" else f"//{folder}:{file.stem}"

    def _check_no_circle(self, packages: Sequence[pathlib.Path]) -> None:
        modules = [file for folder in packages for file in folder.glob("*.py")]
        graph = {
            file: {self._file(n) for n in self._imports(file) if n.split(".")[0] == PACKAGE}
            for file in modules
        }
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            circle = " -> ".join(str(file.relative_to(self.root)) for file in error.args[1])
            raise ValueError(f"modules import one another in a circle: {circle}") from error


def _public_names(file: pathlib.Path) -> dict[str, str]:
    """The modules that the package imports only when a name is used, by the name."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PUBLIC":
            modules = ast.literal_eval(node.value)
            return {f"{PACKAGE}.{name}": m for m, names in modules.items() for name in names}
    return {}


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _sorted(labels: set[str]) -> list[str]:
    """Buildifier's order: this package, other packages by folder and name, other repositories."""
    kinds = (":", "//", "requirement(")

    def rank(label: str) -> tuple[int, list[str]]:
        kind = next(i for i, start in enumerate(kinds) if label.startswith(start))
        return kind, label.split(":")

    return sorted(labels, key=rank)


def _value(value: str | bool | list[str]) -> str:
    if isinstance(value, list):
        items = [item if item.startswith("requirement(") else f'"{item}"' for item in value]
        if len(items) == 1:
            return f"[{items[0]}]"
        return "[\n" + "".join(f"        {item},\n" for item in items) + "    ]"
    return str(value) if isinstance(value, bool) else f'"{value}"'


def _call(rule: str, **attributes: str | bool | list[str]) -> str:
    """A target; attributes that are empty are left out."""
    lines = [f"    {key} = {_value(value)},\n" for key, value in attributes.items() if value]
    return f"{rule}(\n{''.join(lines)})\n"


def _build_file(targets: list[str]) -> str:
    body = "\n".join(targets)
    rules = sorted({target.split("(")[0] for target in targets})
    loads = ['load("@pypi//:requirements.bzl", "requirement")\n'] if "requirement(" in body else []
    names = ", ".join(f'"{rule}"' for rule in rules)
    loads.append(f'load("@rules_python//python:defs.bzl", {names})\n')
    return (
        '"""Written by tools/update_build.py; do not edit."""\n\n'
        f"{''.join(loads)}\n"
        'package(default_visibility = ["//visibility:public"])\n\n'
        f"{body}"
    )


def main() -> int:
    """Writes the files that changed and removes those whose folder is none any more."""
    try:
        files = Repository().build_files()
    except (ValueError, SyntaxError) as error:
        print(error, file=sys.stderr)
        return 2
    for folder in (PACKAGE, "tests", *PROGRAMS):
        for stale in set((ROOT / folder).rglob("BUILD")) - files.keys():
            stale.unlink()
            print(f"removed {stale.relative_to(ROOT)}")
    for path, text in files.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
