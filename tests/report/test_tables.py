import pytest

from tf_darts.report.tables import csv_table, markdown_table, plain_table, short_number

ROWS = [{"name": "a", "empty": "", "score": ""}, {"name": "long name", "score": "1 | 2\n3"}]


def test_markdown_has_a_line_for_each_row_and_no_empty_column():
    assert markdown_table(ROWS) == (
        "| name | score |\n| --- | --- |\n| a |  |\n| long name | 1 \\| 2 3 |\n"
    )


def test_plain_columns_are_aligned():
    rows = [{"name": "a", "score": "1"}, {"name": "long name", "score": "2"}]
    assert plain_table(rows) == "name       score\na          1\nlong name  2"


def test_csv_quotes_and_leaves_missing_empty():
    assert csv_table([{"a": 1, "b": None}, {"c": 'x, "y"'}]) == 'a,b,c\n1,,\n,,"x, ""y"""\n'


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, ""),
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (999_999, "1M"),
        (1_930_618, "1.93M"),
        (528_359_040, "528M"),
        (999_999_999, "1G"),
        (5e9, "5G"),
        (1_234_567_890_000, "1.23T"),
        (2_345_000_000_000_000, "2340T"),
    ],
)
def test_short_numbers(count, text):
    assert short_number(count) == text
