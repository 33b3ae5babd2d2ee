"""Tables of a space that is not NAS-Bench-201: its record says all that is needed."""

import pytest

from tests.support.registries import forget_members
from tests.support.toy_space import EDGES, space
from tf_darts.benchmarks import CellTable
from tf_darts.cells import space as registry
from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.table_form import TableForm
from tf_darts.config.presets import configure
from tf_darts.errors import UserError

LETTERS = {"none": "n", "skip": "s", "twice": "t"}


def read(text):
    if len(text) != 6 or not set(text) <= {*"nst"}:
        raise UserError(f"{text!r} is no cell of six letters.")
    return text


FORM = TableForm(
    written=lambda cell: "".join(LETTERS[name] for name, _ in cell["cell"]),
    read=read,
    alike=lambda text: text.count("t"),
    alike_by="number of twices",
    references=("best",),
    cells=3**6,
)
TABLE = (
    "architecture,a,a_9_epochs,a_3_epochs\nsntsnt,5,1,2\ntttttt,9,2,3\nssntnt,7,3,4\nnnnnnn,1,0,0\n"
)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table of the toy space, which is registered as long as a test lives."""
    forget_members(monkeypatch)
    published = {"best": {"cell": [["twice", source] for _, source in EDGES]}}
    registry.register_space(space(name="lettered", table=FORM, published=published))
    file = tmp_path / "letters.csv"
    file.write_text(TABLE)
    return CellTable(file, "lettered")


def test_its_cells_are_looked_up_and_judged(table):
    cell = genotype_class("lettered").from_dict({"cell": EDGES})
    assert table.query(cell) == table.query("sntsnt") == {"a": 5, "a_9_epochs": 1, "a_3_epochs": 2}
    judged = table.judge(cell)[0]
    assert judged == ("a", 5.0, 25.0, 0.0, 2, 0.75), "of four cells, two of which have two twices"
    assert table.references((1,)) == {
        "random": {"a": 5.5, "a_9_epochs": 1.5, "a_3_epochs": 2.25},
        "best": table.query("tttttt"),
        "optimum": {"a": 9.0, "a_9_epochs": 3.0, "a_3_epochs": 4.0},
    }
    assert table.full_columns == ("a",) and table.short_column("a") == "a_3_epochs"
    assert table.collapse() == {} and not table.complete and len(table) == 4


def test_a_table_of_few_epochs_alone_has_its_columns(tmp_path, table):
    file = tmp_path / "short.csv"
    file.write_text("architecture,a_valid_12_epochs\ntttttt,1\n")
    short = CellTable(file, "lettered")
    assert short.full_columns == ("a_valid_12_epochs",)
    assert short.short_column("a") == "a_valid_12_epochs" and short.short_column("b") is None


def test_its_searches_may_have_a_table(table):
    asked = {"mode": "search", "dataset": "digits", "space": "lettered", "table": table.path}
    assert configure(asked).table == table.path
