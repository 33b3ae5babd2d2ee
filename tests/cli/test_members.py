"""Files of others that register members."""

import sys

import pytest
from absl import flags

from tests.support.registries import forget_members
from tf_darts.cli.members import load_members, requested
from tf_darts.config.presets import configure
from tf_darts.errors import UserError

MEMBER = '''
from tf_darts.methods import AlphaTerm, register, register_method, setting


@register("{name}_term")
class Term(AlphaTerm):
    """A term of a file."""

    {name}_weight: float = setting(1.0, "of the term", minimum=0.0)

    def value(self, alphas, mixing, moment):
        return 0.0


register_method("{name}", "of a file", alpha_terms=("{name}_term",))
'''


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    forget_members(monkeypatch)


def file_of(tmp_path, name, text):
    file = tmp_path / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_members_are_known_once_their_files_are_loaded(tmp_path):
    files = [file_of(tmp_path, name, MEMBER.format(name=name)) for name in ("one", "two")]
    load_members(files)
    load_members(files)  # again is nothing
    made = configure({"mode": "search", "dataset": "ptb", "method": "two", "two_weight": 0.5})
    assert made.two_weight == 0.5 and made.label == "two"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 / 0", r"line 1: cannot be loaded \(ZeroDivisionError: division by zero\)"),
        ("x = 1\ndef (", r"line 2: cannot be loaded \(SyntaxError"),
        ("import nothing_of_this_name", r"line 1.*No module named 'nothing_of_this_name'"),
        ("raise SystemExit(3)", r"line 1: cannot be loaded \(SystemExit: 3\)"),
        (MEMBER.format(name="darts"), r"broken\.py: --method=darts: the name is taken"),
        (
            "from tf_darts.methods import *\nclass A(Relaxation): a: int = 1\nregister('a')(A)",
            r"broken\.py: A\.a is no setting",
        ),
    ],
)
def test_a_file_that_does_not_load_is_one_sentence(tmp_path, text, sentence):
    file = file_of(tmp_path, "broken", text)
    with pytest.raises(UserError, match=sentence) as raised:
        load_members([file])
    assert "\n" not in str(raised.value)
    left = [name for name in sys.modules if name.startswith("tf_darts_members.broken")]
    assert not left, "it may be mended and loaded"


def test_a_file_that_is_none(tmp_path):
    for path in (tmp_path / "missing.py", tmp_path, tmp_path / "a\nb.py"):
        with pytest.raises(UserError, match="no Python file is there"):
            load_members([str(path)])


def test_it_is_found_among_the_arguments(tmp_path):
    flagfile = tmp_path / "some.flags"
    flagfile.write_text("--mode=search\n--load=c.py\n", encoding="utf-8")
    words = ["--load=a.py,b.py", "--epochs=3", f"--flagfile={flagfile}", "--load", "d.py"]
    values = flags.FlagValues()
    assert requested(words, values) == ["a.py", "b.py", "c.py", "d.py"]
    assert requested(["--mode=search"], values) == []
    assert requested([f"--flagfile={tmp_path}/none", "--load=a.py"], values) == []
