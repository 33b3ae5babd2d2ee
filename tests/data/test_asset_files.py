import pytest

from tf_darts.data.asset_files import listed, read_listed
from tf_darts.errors import UserError


@pytest.mark.parametrize("names", [(), ("cat",), ("a dog", "", "größe", "form\x0cfeed\u2028")])
def test_there_and_back(names):
    assert read_listed(listed(names)) == names


def test_a_line_break_is_refused():
    with pytest.raises(UserError, match="has a line break in it"):
        listed(("cat", "a\ndog"))
