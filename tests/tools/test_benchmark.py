"""The benchmark's table, with and without something to compare with."""

import importlib.util
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

TOOL = ROOT / "tools" / "benchmark_table.py"


@pytest.fixture
def tool(monkeypatch):
    """The module, timing nothing: every step takes as many seconds as its batch has examples."""
    spec = importlib.util.spec_from_file_location("benchmark_table", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def measured(name, settings, more):
        seconds = float(settings.split()[1])
        if "exact" in settings:
            seconds *= 1.25
        row = {"median_s": seconds, "min_s": seconds / 2, "max_s": 2 * seconds}
        if any(flag.startswith("--against=") for flag in more):
            row |= {"peer_median_s": 3 * seconds, "times_faster": 3.0}
        return row

    monkeypatch.setattr(module, "measured", measured)
    return module


def test_without_another_program(tool):
    lines = tool.table("", sys.executable, steps=2, rounds=1)
    table = "\n".join(lines)
    assert "| training V2 on CIFAR-10 | 8.000 | 4.000…16.000 |  |  | 3 |" in table
    assert "1.25 × the time of second order" in table
    assert table.endswith("The comparison is skipped: no PyTorch program is given (--against).")


def test_without_torch(tool):
    lines = tool.table("peer.py", "/bin/false", steps=2, rounds=1)
    table = "\n".join(lines)
    assert "torch is not installed in /bin/false" in table
    assert "| 24" not in table, "nothing of the other program"


def test_with_torch(tool, monkeypatch):
    monkeypatch.setattr(tool, "torch_is_missing", lambda python: None)
    lines = tool.table("peer.py", sys.executable, steps=2, rounds=1)
    table = "\n".join(lines)
    assert "| training V2 on CIFAR-10 | 8.000 | 4.000…16.000 | 24.0 | 3.0 | 3 |" in table
    assert "skipped" not in table


def test_steps_are_timed_with_the_fast_forms_of_a_run():
    """In a process of its own: here, other tests have registered them."""
    code = (
        "import sys; sys.path.insert(0, 'tools'); import benchmark_tasks\n"
        "from tf_darts.spaces.fast_forms import registered\n"
        "print(*(form.layer.__name__ for form in registered()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert {"RelaxedCell", "RelaxedBenchCell", "BatchNorm"} <= set(done.stdout.split()), done.stderr


def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    file = tmp_path / "missing" / "result.json"
    command = [sys.executable, "tools/benchmark.py", "--task=nb201_search", f"--output={file}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"benchmark: {file}: cannot be written")
