"""Dependencies between the rooms of the package point one way."""

import ast

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "tf_darts"
# From the top down; rooms of one floor do not know each other.
FLOORS = [
    {"main", "command"},
    {"api", "cli"},
    {"testing"},
    {"study"},
    {"runs"},
    {"methods", "training", "report", "formats"},
    {"bilevel"},
    {"accelerate", "benchmarks"},
    {"spaces"},
    {"optimization", "config"},
    {"cells", "data"},
    {"runtime"},
    {"errors", "__version__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(file):
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tf_darts":
            inner = node.module.split(".")[1:]
            yield from inner[:1] or (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from (name[1] for name in names if name[0] == "tf_darts" and len(name) > 1)


def test_every_room_has_a_floor():
    rooms = {room_of(file) for file in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms <= FLOOR.keys()


@pytest.mark.parametrize("room", sorted(FLOOR.keys() - {"__version__"}))
def test_a_room_knows_only_what_is_below(room):
    files = [*(PACKAGE / room).rglob("*.py"), *PACKAGE.glob(f"{room}.py")]
    assert files
    for file in files:
        above = {
            other for other in imported_rooms(file) if other != room and FLOOR[other] <= FLOOR[room]
        }
        assert not above, f"{file}: imports {', '.join(sorted(above))}"
