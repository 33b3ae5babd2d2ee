"""TensorFlow's start: its chatter goes, what matters stays, and an idle GPU is said."""

import os
import subprocess
import sys
from unittest import mock

import pytest

from tests.support.paths import ROOT
from tf_darts.runtime import start_up

CHATTER = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795777432.561145   12763 port.cc:153] oneDNN custom operations are on. You may see …
I0000 00:00:1795777432.561773   12763 cudart_stub.cc:31] Could not find cuda drivers on your machine
E0000 00:00:1 1 util.cc:131] oneDNN supports DT_INT32 only on platforms with AVX-512. Falling back …
"""
CU_INIT = "E0000 00:00:1 1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error (303)\n"


def test_chatter_goes_and_the_rest_stays():
    reasons = []
    kept = start_up.worth_saying(f"{CHATTER}a warning\n{CU_INIT}{CHATTER}the end", reasons)
    assert kept == "a warning\nthe end"
    assert reasons == ["INTERNAL: CUDA error (303)"]


def python(program, **environment):
    """Of a process of its own, status, output and error output."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("TF_CPP")} | environment,
    )
    return done.returncode, done.stdout, done.stderr


def test_nothing_is_said_where_there_is_no_card():
    program = (
        "from tf_darts.runtime import start_up; start_up.card_sign = lambda: None;"
        "start_up.load_tensorflow(); import tensorflow as tf; print(tf.add(1, 2).numpy())"
    )
    assert python(program) == (0, "3\n", "")


def test_a_search_does_not_begin_with_what_it_needs_later():
    program = """if True:
        import sys
        from tf_darts.runtime import start_up
        start_up.load_tensorflow()
        import tf_darts.cli.modes, tf_darts.runs.search, tf_darts.report.search_report
        late = ("keras_tuner", "matplotlib", "scipy.optimize", "scipy.stats", "sklearn")
        print([name for name in late if name in sys.modules])
        import matplotlib.figure, sklearn.datasets  # which are not hidden any more
    """
    assert python(program) == (0, "[]\n", "")


def test_a_name_of_the_package_s_comes_without_chatter():
    program = """if True:
        import sys
        from tf_darts.runtime import start_up
        start_up.card_sign = lambda: None
        import tf_darts
        tf_darts.search, tf_darts.MixedOperation
        print("tensorflow" in sys.modules)
        import sklearn  # which is the user's own
    """
    assert python(program) == (0, "True\n", "")


def test_what_a_member_s_file_imports_comes_without_chatter(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import sys, tensorflow\nprint('of mine', file=sys.stderr)\n", encoding="utf-8")
    program = (
        "from tf_darts.runtime import start_up; start_up.card_sign = lambda: None;"
        f"from tf_darts.cli.members import load_members; load_members(['{file}'])"
    )
    status, out, err = python(program)
    lines = [line for line in err.splitlines() if not line.startswith("Loading mine.py")]
    assert (status, out, lines) == (0, "", ["of mine"])


def test_devices_are_set_up_after_the_first_import_alone(monkeypatch):
    def importing(cards):
        monkeypatch.delitem(sys.modules, "tensorflow")
        with start_up.first_import(), start_up.first_import():
            sys.modules["tensorflow"] = made = mock.MagicMock()
            made.config.list_physical_devices.return_value = cards
        return made.config.experimental.set_memory_growth.call_args_list

    said = []
    monkeypatch.setattr(start_up, "warn", said.append)
    monkeypatch.setattr(start_up, "card_sign", lambda: "nvidia-smi")
    assert importing(["first", "second"]) == [mock.call("first", True), mock.call("second", True)]
    assert not said
    assert not importing([]) and len(said) == 1
    with start_up.first_import():
        pass
    assert len(said) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["start_up.load_tensorflow()", "import tf_darts; tf_darts.train"])
def test_a_card_that_stands_idle_is_one_sentence(how):
    program = (
        "from tf_darts.runtime import start_up; start_up.card_sign = lambda: '/dev/nvidia0';" + how
    )
    status, out, err = python(program, CUDA_VISIBLE_DEVICES="-1")  # TensorFlow finds none, anywhere
    assert (status, out) == (0, "")
    assert err.startswith("tf_darts: /dev/nvidia0 says that this machine has an NVIDIA GPU, but")
    assert "pip install 'tf_darts[cuda]'" in err and err.count("\n") == 1


def test_the_sentence_gives_the_reason():
    assert "libraries (Cannot dlopen)," in start_up.idle_card("x", True, ["Cannot dlopen"])
    assert "TensorFlow was built without CUDA" in start_up.idle_card("x", False, ["Cannot dlopen"])


@pytest.fixture
def no_program(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(start_up.shutil, "which", lambda name: None)


@pytest.mark.parametrize("sign", ["proc/driver/nvidia/version", "dev/nvidia0", "dev/nvidia12"])
def test_a_card_is_seen(no_program, monkeypatch, tmp_path, sign):
    assert start_up.card_sign(tmp_path) is None
    (tmp_path / sign).parent.mkdir(parents=True)
    (tmp_path / sign).touch()
    assert start_up.card_sign(tmp_path) == f"/{sign}"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert start_up.card_sign(tmp_path) is None, "the CPU is meant"


def test_other_nodes_are_no_card(no_program, tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()  # also where the driver found no card
    assert start_up.card_sign(tmp_path) is None


@pytest.mark.parametrize(("listed", "sign"), [("GPU 0: H100", "nvidia-smi"), ("No devices", None)])
def test_the_drivers_program_is_asked(monkeypatch, tmp_path, listed, sign):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{listed}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert start_up.card_sign(tmp_path) == sign


def test_an_error_in_between_loses_nothing(capfd):
    with pytest.raises(ImportError), start_up._caught_errors([]):
        os.write(2, b"the library said why\n")
        start_up.write_line("at once")
        raise ImportError
    assert capfd.readouterr().err == "at once\nthe library said why\n"
