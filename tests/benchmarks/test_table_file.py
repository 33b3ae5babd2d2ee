"""Tables as files: what is read, and what is refused in one sentence."""

import numpy as np
import pytest

from tests.support import toy_table
from tf_darts.benchmarks.table_file import read_table
from tf_darts.errors import UserError
from tf_darts.spaces.nasbench201 import strings

FEW = [strings.from_short(text) for text in ("3/33/333", "s/ss/sss", "-/--/---")]


def test_a_table_is_read(tmp_path):
    table = read_table(toy_table.write(tmp_path / "table.csv", FEW))
    assert table.texts == tuple(strings.written(architecture) for architecture in FEW)
    assert (table.lines, table.columns) == ((2, 3, 4), toy_table.COLUMNS)
    wanted = [[*toy_table.scores(architecture).values()] for architecture in FEW]
    np.testing.assert_array_equal(table.scores, wanted)


def test_columns_may_stand_in_any_order_and_lines_be_empty(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text('\ufeffb, architecture\r\n1.5,x\r\n\r\n2,"y"\r\n', encoding="utf-8")
    table = read_table(file)
    assert (table.texts, table.columns) == (("x", "y"), ("b",))
    assert table.scores.tolist() == [[1.5], [2.0]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no column architecture; a table is a CSV file with"),
        ("cell,a\nx,1\n", "its first line names no column architecture"),
        ("architecture,index\nx,1\n", "has no column of scores"),
        ("architecture,a,a\nx,1,2\n", "names a twice; give each column a name of its own"),
        ("architecture,,a\nx,1,2\n", "has a column without a name"),
        ("architecture,a\n", "has no cells, only a first line"),
        ("architecture,a\nx,1\ny\n", "line 3: has 1 values, and the first line has 2 names"),
        ("architecture,a\nx,1\ny,2\nx,3\n", "line 4: the cell x is on line 2 already"),
        ("architecture,a\nx,good\n", "line 2: a is 'good', which is no finite number"),
        ("architecture,a\nx,\n", "line 2: a is '', which is no finite number"),
        ("architecture,a\nx,nan\n", "line 2: a is 'nan', which is no finite number"),
        ("architecture,a\nx,inf\n", "line 2: a is 'inf', which is no finite number"),
        ('architecture,a\n"x' + "y" * 200_000 + '",1\n', "field larger than field limit"),
    ],
)
def test_wrong_tables_are_one_sentence(tmp_path, text, sentence):
    file = tmp_path / "table.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_table(file)
    assert sentence in str(error.value) and str(file) in str(error.value)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize("name", ["missing.csv", ".", "binary.csv"])
def test_what_is_no_file_is_one_sentence(tmp_path, name):
    (tmp_path / "binary.csv").write_bytes(b"architecture,a\n\xff,1\n")
    with pytest.raises(UserError) as error:
        read_table(tmp_path / name)
    assert "a table is a CSV file with a column architecture" in str(error.value)
    assert "\n" not in str(error.value)
