import os
import subprocess
import sys

import pytest

from tf_darts.runtime.console import say, tell, telling_once, warn


def test_lines(capsys):
    say("one")
    warn("two")
    assert capsys.readouterr() == ("one\n", "two\n")


def test_facts_are_told_once_where_that_is_asked(capsys):
    def told(*texts):
        for text in texts:
            tell(text)
        return capsys.readouterr().out.split()

    assert told("one", "one") == ["one", "one"]
    with telling_once():
        assert told("one", "two", "one") == ["one", "two"]
        with telling_once():
            assert told("two", "three") == ["three"]
        assert told("three") == []
    with pytest.raises(KeyError), telling_once():
        raise KeyError
    assert told("one", "one") == ["one", "one"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_may_have_another_encoding(encoding):
    program = r"from tf_darts.runtime.console import say; say('α …\udce9'); say('after')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )
    first = "α …" if encoding == "utf-8" else r"\u03b1 \u2026"
    assert done.stdout.decode(encoding) == f"{first}\\udce9\nafter\n"


@pytest.mark.parametrize("lines", [1, 10_000])
def test_who_looks_on_may_leave(lines):
    program = (
        "import sys; from tf_darts.runtime.console import say\n"
        f"for _ in range({lines}): say('line' * 20)\n"
        "sys.stderr.write('done')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == "done"
        assert process.wait() == 0
