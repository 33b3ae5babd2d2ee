"""`--help`: sentences, and the values that a run takes."""

import re
import subprocess
import sys

import pytest
from absl import flags

from tests.support import in_process
from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tf_darts.cells.space import spaces
from tf_darts.cli import flag_table, help_page, questions
from tf_darts.cli import flags as command_line
from tf_darts.cli.members import load_members
from tf_darts.config import methods, presets
from tf_darts.config.setting import GROUPS, fields
from tf_darts.errors import UserError
from tf_darts.runtime.renamed_settings import RENAMED

# The verbs of the sentences; one more belongs here.
VERBS = (
    r"\b(acts|adds|are|averages|becomes|begins|belongs|change|come|compares|computes|counts|divides|draws"
    r"|ends|fades|falls|follows|gets|gives|goes|has|have|is|keeps|learn|learns|lie|lives|lose|loses|makes|moves|multiplies"
    r"|needs|pass|prints|proposes|pull|pulls|ranks|reads|rises|runs|says|scores|sees|spreads|stand|stay"
    r"|stops|take|takes|trains|tunes|vary|waits)\b"
)


def every_setting():
    """Each setting with each of its texts."""
    configurations = [*presets._all_presets()]
    parts = [part for kind in methods.KINDS for part in methods.parts(kind).values()]
    for owner in (*configurations, *parts):
        for name, field in fields(owner).items():
            yield type(owner).__name__, name, field


def page(width=80, **given):
    return help_page.help_page(given, width, bold=False)


def shown(text):
    """The flags of a page with their values."""
    return dict(re.findall(r"^ +--(?:no)?(\w+)(=\S*)?(?: |$)", text, re.MULTILINE))


def test_each_setting_says_a_sentence():
    for owner, name, field in every_setting():
        text = field.metadata["help"]
        assert re.match(r"[A-Z]", text) and text.endswith("."), f"{owner}.{name}: {text}"
        assert re.search(VERBS, text), f"{owner}.{name} has no verb: {text}"
        assert "so many" not in text and "\n" not in text, f"{owner}.{name}: {text}"


def test_each_setting_has_a_group_or_an_owner():
    parts = methods.part_settings()
    spaces_own = {
        name
        for space in spaces().values()
        for preset in (space.search, space.training)
        for name, field in fields(preset).items()
        if not field.metadata["group"]
    }
    for owner, name, field in every_setting():
        group = field.metadata["group"]
        assert group in GROUPS if group else name in {*parts, *spaces_own}, f"{owner}.{name}"


@pytest.mark.parametrize("words", help_page.FIRST_COMMANDS)
def test_the_first_commands_make_a_configuration(words):
    values = flags.FlagValues()
    command_line.define_flags(values)
    values(["tf-darts", *words.split()])
    assert command_line.config_from_flags(values).mode in words
    text = page()
    assert f"  tf-darts {words}\n" in text and "goes on where it" in text


def test_sentences_of_the_program_itself():
    for flag, text in help_page.PROGRAM.items():
        assert text.startswith("The ") and text.endswith("."), flag
    assert set(flag_table.MODES) == set(presets.modes())


@pytest.mark.parametrize(("mode", "dataset"), list(presets.PRESETS))
def test_the_values_are_those_that_a_run_takes(mode, dataset):
    given = {"mode": mode, "dataset": dataset}
    if mode == "train":
        given["genotype"] = "darts_v2"
    if (mode, dataset) in (("train", "folder"), ("search", "folder")):
        given["image_size"] = 8
    config = presets.configure(given)
    flags_shown = [
        flag for group in flag_table.groups_of(config) for f in group.flags for flag in f.all
    ]
    assert len({flag.name for flag in flags_shown}) == len(flags_shown)
    unused = getattr(config, "unused", {})
    assert {flag.name for flag in flags_shown} == fields(config).keys() - unused.keys()
    for flag in flags_shown:
        assert flag.value == getattr(config, flag.name), flag.name
    text = page(**given)
    for flag in flags_shown:
        assert f"  {help_page.written_flag(flag.name, flag.value)}" in text


@pytest.mark.parametrize("method", sorted(methods.methods()))
def test_the_settings_of_a_method_s_parts_stand_under_them(method):
    text = page(mode="search", dataset="cifar10", method=method, epochs=50)
    config = presets.configure({"mode": "search", "dataset": "cifar10", "method": method})
    for kind in methods.KINDS:
        for part in config.make_parts(kind):
            for name in fields(part):
                value = help_page.written_flag(name, getattr(config, name))
                assert f"          {value}" in text and text.index(f"--{kind}=") < text.index(value)
    assert shown(text).keys() >= {"method", "relaxation", "epochs"}


def test_what_the_command_gives_is_shown_and_what_it_lacks_is_said():
    text = page(mode="train", dataset="digits", channels=8)
    assert "  --channels=8 " in text
    assert "What is still missing\n  no --genotype given" in text
    assert "missing" not in page(mode="train", dataset="digits", genotype="darts_v2")


def test_a_mode_has_only_its_own_flags():
    search, training = page(mode="search"), page(mode="train", dataset="ptb")
    assert "--alpha_learning_rate=0.0003" in search and "--genotype" not in shown(search)
    assert "those of --dataset=cifar10" in search
    assert "--units=850" in training and "alpha_learning_rate" not in shown(training)
    assert "finite_difference_radius" not in shown(page(mode="search", method="darts_first"))
    exported = shown(page(mode="export"))
    assert {"export_dir", "export_version", "format"} <= exported.keys()
    assert not exported.keys() & {"epochs", "version_", "seed"}


def test_without_a_mode_all_flags_stand_with_what_their_values_are_of():
    text = page()
    assert shown(text).keys() >= presets.settings().keys()
    assert "--mode=search --dataset=cifar10" in " ".join(text.split())
    assert "  With --mode=train --space=convolutional:" in text
    assert "  With --mode=export:\n  --export_dir=" in text


def test_old_names_are_not_shown():
    names = shown(page()).keys() | shown(page(mode="train", dataset="cifar10")).keys()
    assert not names & (RENAMED.keys() - {"version"})  # the program's own


@pytest.mark.parametrize("width", [50, 80, 100, 120])
def test_lines_fit_the_terminal(width):
    for text in (page(width), page(width, mode="search", dataset="cifar10", method="sgas")):
        long = [line for line in text.splitlines() if len(line) > min(width, 100)]
        # One word may be longer than a narrow line.
        assert all(len(line.split()) <= 2 for line in long), long


def test_ranges_read_well():
    text = page(mode="search", dataset="cifar10")
    for line in (
        "  --epochs=50                           epochs, 1 to 10^6",
        "  --seed=0                              whole number, 0 to 2^63-1",
        "  --train_portion=0.5                   number, above 0, below 1",
        "  --flip                                or --noflip",
        "  --checkpoint_steps=50                 steps, 1 to 10^9 *",
        "  --clip_norm=5                         number, 0 to 10^30",
    ):
        assert line in text.splitlines()


def test_members_stand_with_what_they_are():
    text = " ".join(page(mode="search", dataset="cifar10").split())
    for registry in (methods.methods(), *map(methods.parts, methods.KINDS)):
        for name, member in registry.items():
            assert f" {name} {' '.join(member.about.split())}" in text
    assert "One of first_order" not in text and "finite_difference the paper's" in text


def test_what_does_not_exist_is_refused():
    for given in ({"mode": "serch"}, {"mode": "search", "method": "dart"}):
        with pytest.raises(UserError):
            page(**given)


def test_a_stranger_s_member_is_there_with_its_group(monkeypatch):
    forget_members(monkeypatch)
    load_members([str(ROOT / "examples" / "own_method.py")])
    text = page(mode="search", dataset="cifar10", method="exploring_darts")
    assert "            --first_share=" in text or "          --first_share=" in text
    load_members([str(ROOT / "examples" / "own_space.py")])
    (name,) = [
        space
        for space in spaces()
        if space not in {"recurrent", "convolutional", "nasbench201", "planted", "s4_mini"}
    ]
    text = page(mode="search", space=name)
    assert f"The space {name} and its networks" in text and "--width=" in text


@pytest.fixture
def values():
    made = flags.FlagValues()
    command_line.define_flags(made)
    questions.define_flags(made)
    return made


def asked(values, *words):
    with pytest.raises(SystemExit) as end:
        questions.parse(["main", *words], values)
    assert end.value.code == 0


@pytest.mark.parametrize("word", ["--help", "-h", "--helpshort", "--helpfull"])
def test_help_counts_the_other_flags_wherever_it_stands(values, word, capsys):
    asked(values, "--mode=search", word, "--dataset=ptb", "--epochs=7")
    out = capsys.readouterr().out
    assert "--epochs=7" in out and "--units=300" in out


def test_a_wrong_flag_beside_help_is_said(values):
    with pytest.raises(UserError, match="--unit is no flag; did you mean --units"):
        questions.parse(["main", "--help", "--unit=3"], values)


def test_the_version_and_the_old_flag_of_exports(values, capsys):
    asked(values, "--version")
    assert re.match(r"tf_darts \d+\.\d+\.\d+.*Python 3.*TensorFlow", capsys.readouterr().out)
    with pytest.raises(UserError, match="write --export_version=3 for"):
        questions.parse(["main", "--version", "3"], values)
    assert questions.parse(["main", "--mode=export", "--version=3"], values) == ["main"]
    given = command_line.typed_settings(values) | {"run_dir": "a", "export_dir": "b"}
    assert presets.configure(given).export_version == 3
    assert "--version is --export_version now" in capsys.readouterr().err


def test_nothing_asked_leaves_the_arguments(values):
    assert questions.parse(["main", "--mode=search", "word"], values) == ["main", "word"]


def test_help_needs_no_tensorflow():
    code = (
        "import sys\n"
        "sys.argv = ['main', '--help', '--mode=search', '--dataset=cifar10']\n"
        "import runpy\n"
        "try: runpy.run_module('tf_darts.command', run_name='x')['main']()\n"
        "except SystemExit as end: print(end.code, 'tensorflow' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr


def test_the_program_answers():
    status, out, err = in_process.run(in_process.MAIN, "--help", "--mode=report")
    assert (status, err) == (0, "") and "--report_dir=runs/report" in out


@pytest.mark.parametrize("value", [0.1, 0.0003333333333333333, 1 / 3, 1e-12, 3.0])
def test_a_number_is_written_so_that_it_is_read_again(value):
    assert float(help_page.written_flag("rate", value).partition("=")[2]) == value
