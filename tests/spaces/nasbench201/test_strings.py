"""Architecture strings, all 15,625 of them."""

import collections
import csv
import random

import pytest

from tf_darts.errors import UserError
from tf_darts.spaces.nasbench201 import strings

ALL = list(strings.all_architectures())


def test_there_and_back():
    assert len(set(ALL)) == 5**6
    assert all(strings.parse(strings.written(found)) == found for found in ALL)
    assert all(strings.from_short(strings.short(found)) == found for found in ALL)


@pytest.mark.parametrize("text", [strings.EXAMPLE, f" {strings.EXAMPLE}\n"])
def test_what_is_read(text):
    found = strings.parse(text)
    assert strings.written(found) == strings.EXAMPLE and strings.short(found) == "3/-3/s-s"
    bare = "+".join(part.strip("|") for part in text.strip().split("+"))
    assert strings.parse(bare) == found
    assert strings.nodes_of(found) == [
        [("nor_conv_3x3", 0)],
        [("none", 0), ("nor_conv_3x3", 1)],
        [("skip_connect", 0), ("none", 1), ("skip_connect", 2)],
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is written like"),
        ("|none~0|", "is written like"),
        (strings.EXAMPLE + "+|none~0|", "is written like"),
        (strings.EXAMPLE.replace("none~0", "none-0"), "is written like"),
        (strings.EXAMPLE.replace("none~0", f"none~{chr(57) * 5000}"), "is written like"),
        (strings.EXAMPLE.replace("none~0", "none~2"), r"reads the nodes \[2, 1\]; .* 0 to 1"),
        (strings.EXAMPLE.replace("none~1|", ""), r"node 3 .* reads the nodes \[0, 2\]; .* 0 to 2"),
        (strings.EXAMPLE.replace("none~1", "sep~1"), "unknown operation 'sep' of NAS-Bench-201"),
    ],
)
def test_what_is_no_string(text, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        strings.parse(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["3/33/33", "3/33/33x", "333333", "", "3/33/333\n"])
def test_what_is_no_short_form(text):
    with pytest.raises(UserError, match=r"the short form .* is like 3/-3/s-s"):
        strings.from_short(text)


def test_six_operations_are_needed():
    with pytest.raises(UserError, match="has 6 edges, and not 2"):
        strings.written(["none", "none"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3/s-/--s", "3/-s/--s"),  # a node that hands on the input, or another node
        ("3/-s/--3", "s/3-/--3"),
        ("-/33/33-", "-/31/33-"),  # what reads zeros is zero
    ],
)
def test_isomorphic_ones(one, other):
    same = [strings.canonical(strings.from_short(text)) for text in (one, other)]
    assert (same[0] == same[1]) == (one != "3/s-/--s")


def test_how_many_differ():
    """The official function's number."""
    assert len({strings.canonical(found) for found in ALL}) == 6466


def test_disconnected_ones():
    assert sum(not strings.is_connected(found) for found in ALL) == 341
    disconnected = next(found for found in ALL if not strings.is_connected(found))
    assert set(strings.canonical(disconnected)) <= {"#", "+"}


def test_convolutions_are_counted_whether_they_reach_anything_or_not():
    assert strings.convolutions(strings.from_short("3/--/---")) == (1, 0)
    assert strings.convolutions(strings.from_short("1/13/s33")) == (3, 2)


def test_drawn_ones():
    generator, again = random.Random(1), random.Random(1)
    found = [strings.drawn(generator) for _ in range(2000)]
    assert found[:5] == [strings.drawn(again) for _ in range(5)]
    names = collections.Counter(name for one in found for name in one)
    assert set(names) == set(strings.OPERATIONS)
    assert all(abs(count - 2400) < 5 * (12000 * 0.2 * 0.8) ** 0.5 for count in names.values())


def test_the_table_has_each_once(shared):
    file = shared / "data" / "nasbench201" / "nasbench201.csv"
    if not file.exists():
        pytest.skip(f"no table: {file.name} is missing")
    with file.open(encoding="utf-8") as rows:
        found = [strings.parse(row["architecture"]) for row in csv.DictReader(rows)]
    assert len(found) == len(ALL) and set(found) == set(ALL)
