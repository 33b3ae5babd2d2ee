"""A program that begins anew where it has grown: when, and that nothing of it is lost."""

import os
import subprocess
import sys

import pytest

from tf_darts.runtime import renewal

ARGUMENTS = ["--mode=select", "--count=8"]
COMMAND = ["-m", "tf_darts.main", *ARGUMENTS]
MEGABYTE = 1_000_000


@pytest.fixture
def process(monkeypatch):
    """A process that begins in 10 s of processor time: what is set of it, and what it executes."""

    class Process:
        size, seconds, executed = 1_000 * MEGABYTE, 10.0, ()

    made = Process()
    monkeypatch.setattr(renewal, "resident", lambda: made.size)
    monkeypatch.setattr(renewal.time, "process_time", lambda: made.seconds)
    monkeypatch.setattr(sys, "argv", ["main.py", *ARGUMENTS])
    monkeypatch.setattr(sys, "orig_argv", ["python", *COMMAND])
    monkeypatch.setattr(os, "execv", lambda *arguments: setattr(made, "executed", arguments))
    return made


def works(process, sizes, seconds):
    """Before how many of these pieces of work it would have begun anew."""
    renewed, made = 0, renewal.Renewal()
    for size in sizes:
        process.executed = ()
        made.before_work()
        renewed += bool(process.executed)
        process.size, process.seconds = size * MEGABYTE, process.seconds + seconds
    return renewed


def test_it_begins_anew_where_it_has_grown(process, capsys):
    assert works(process, [1100, 1140, 1160, 1160], 60.0) == 1
    assert process.executed == (sys.executable, [sys.executable, *COMMAND])
    assert capsys.readouterr().out.startswith("The program begins anew and goes on: it has grown")


@pytest.mark.parametrize(
    ("sizes", "seconds"),
    [
        ([1100, 1110, 1120, 1149, 1149], 3600.0),  # it has not grown
        ([1100, 2000], 3600.0),  # nor does the first piece of work count
        ([1100, 1300, 1500, 1700, 1900], 20.0),  # it would begin more often than work
    ],
)
def test_it_does_not_otherwise(process, sizes, seconds):
    assert works(process, sizes, seconds) == 0


@pytest.mark.parametrize("arguments", [[], ["--mode=select"], ["--count=8", "--mode=select"]])
def test_not_where_another_program_called_it(process, monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["main.py", *arguments])
    assert works(process, [1100, 1200, 1300, 1400], 3600.0) == 0


def test_a_real_process(tmp_path):
    """Same number, same arguments, locks given back, and no end but one."""
    program = tmp_path / "program.py"
    program.write_text(
        "import fcntl, os, pathlib, sys\n"
        "from tf_darts.runtime import renewal\n"
        "renewal._GROWTH, renewal._WORTH = -(10**12), 0\n"
        "done = pathlib.Path(sys.argv[1])\n"
        "lock = open(done.with_name('lock'), 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "program = renewal.Renewal()\n"
        "while (count := len(done.read_text().split()) if done.exists() else 0) < 5:\n"
        "    program.before_work()\n"
        "    with done.open('a') as file:\n"
        "        file.write(f'{os.getpid()} ')\n"
        "print(f'{count} done')\n"
    )
    ended = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "done with it")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    numbers = (tmp_path / "done with it").read_text().split()
    assert len(numbers) == 5 and len(set(numbers)) == 1
    lines = ended.stdout.splitlines()
    assert [line.startswith("The program begins anew") for line in lines] == [True, True, False]
    assert lines[-1] == "5 done"
