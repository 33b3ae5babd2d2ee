import re

import pytest
from absl import flags

from tests.support.paths import ROOT
from tf_darts.cli import flags as command_line
from tf_darts.config.methods import methods

FLAGFILES = sorted((ROOT / "flags").glob("*.flags"))


def _config(file, *arguments):
    """The configuration that a flagfile, and perhaps further arguments, ask for."""
    values = flags.FlagValues()
    command_line.define_flags(values)
    flags.DEFINE_string("flagfile", None, "as absl has it", flag_values=values)
    values(["main", f"--flagfile={file}", *arguments])
    return command_line.config_from_flags(values)


def _header(file):
    """The comment at the beginning of a flagfile."""
    header = re.match(r"(#.*\n)+", file.read_text(encoding="utf-8"))
    return header[0] if header else ""


def test_there_are_some():
    assert {file.name for file in FLAGFILES} >= {
        "quickstart.flags",
        "quickstart_images.flags",
        "search_ptb.flags",
        "search_ptb_first_order.flags",
        "search_cifar10.flags",
        "search_cifar10_first_order.flags",
    }


@pytest.mark.parametrize("file", FLAGFILES, ids=lambda file: file.stem)
def test_header_says_command_cost_and_expectation(file):
    header = _header(file)
    assert f"python -m tf_darts.main --flagfile=flags/{file.name}" in header
    assert re.search(r"^# Cost: \S", header, re.MULTILINE)
    assert re.search(r"^# Expect: \S", header, re.MULTILINE)


@pytest.mark.parametrize("file", FLAGFILES, ids=lambda file: file.stem)
def test_flags_are_valid(file):
    assert _config(file).mode in file.stem or file.stem.startswith("quickstart")


@pytest.mark.parametrize("file", FLAGFILES, ids=lambda file: file.stem)
def test_runs_have_directories_of_their_own(file):
    # Named after their settings, so that another --seed is another run.
    assert "--run_dir" not in file.read_text(encoding="utf-8").replace(_header(file), "")
    directories = {_config(file, f"--seed={seed}").run_dir for seed in range(4)}
    assert len(directories) == 4


def test_no_two_flagfiles_share_a_directory():
    assert len({_config(file).run_dir for file in FLAGFILES}) == len(FLAGFILES)


@pytest.mark.parametrize("method", sorted(methods().keys() - {"joint_simultaneous"}))
def test_every_method_searches_by_the_file_that_compares_them(method):
    file = ROOT / "flags" / "search_nasbench201_small.flags"
    config = _config(file, f"--method={method}")
    assert (config.method, config.channels, config.batch_size) == (method, 8, 64)


@pytest.mark.parametrize("dataset", ["ptb", "cifar10"])
@pytest.mark.parametrize("order", ["", "_first_order"])
def test_the_papers_searches_leave_the_presets_alone(dataset, order):
    file = next(file for file in FLAGFILES if file.stem == f"search_{dataset}{order}")
    lines = set(file.read_text(encoding="utf-8").replace(_header(file), "").split())
    hypergradient = "first_order" if order else "finite_difference"
    assert lines == {"--mode=search", f"--dataset={dataset}", f"--hypergradient={hypergradient}"}
