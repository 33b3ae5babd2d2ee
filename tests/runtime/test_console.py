import subprocess
import sys

import pytest

from tf_darts.runtime.console import say, warn


def test_lines(capsys):
    say("one")
    warn("two")
    assert capsys.readouterr() == ("one\n", "two\n")


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
