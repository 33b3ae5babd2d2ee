import pytest

from tf_darts.report.file_names import FreeNames, safe


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("study/a b", "study_a_b"),
        ("..", "__"),
        (".", "_"),
        ("", "_"),
        ("../up", ".._up"),
        ("v1.2-ä", "v1.2-ä"),
        ("ä" * 300, "ä" * 75),
    ],
)
def test_a_name_is_one_part_of_a_path(name, file):
    assert safe(name) == file


def test_a_name_that_is_taken_has_a_number():
    names = FreeNames()
    assert [names.take(name) for name in ("a", "A", "a", "b", "a_2")] == [
        "a",
        "A_2",
        "a_3",
        "b",
        "a_2_2",
    ]
    assert [names.take("a", ending) for ending in ("png", "gif", "png")] == [
        "a.png",
        "a.gif",
        "a_2.png",
    ]
