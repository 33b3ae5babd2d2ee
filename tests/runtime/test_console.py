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
