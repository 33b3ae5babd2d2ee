"""Completion of flags, in real shells where they are there."""

import os
import pty
import shutil
import subprocess

import pytest
from absl import flags

from tf_darts.cli import questions
from tf_darts.cli.completion import SHELLS, completion
from tf_darts.config import presets
from tf_darts.errors import UserError

_ASK = """
source {script}
COMP_LINE={line!r} COMP_POINT={point} COMP_TYPE=9
{breaks}
compopt() {{ :; }}
_tf_darts
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def bash(tmp_path_factory):
    """Answers what bash offers at the end of a line."""
    if not shutil.which("bash"):
        pytest.skip("bash is not here")
    script = tmp_path_factory.mktemp("completion") / "tf-darts.bash"
    script.write_text(completion("bash"), encoding="utf-8")

    def offered(words, breaks=""):
        line = f"tf-darts {words}"
        text = _ASK.format(script=script, line=line, point=len(line), breaks=breaks)
        done = subprocess.run(
            ["bash", "--norc", "-c", text], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        return done.stdout.split()

    return offered


def test_bash_completes_names_and_values(bash):
    assert bash("--alpha_l") == ["--alpha_learning_rate="]
    assert sorted(bash("--mo")) == ["--mode=", "--momentum=", "--most_skips="]
    assert bash("--mode=s") == ["search", "select"]
    assert bash("--method=beta") == ["beta_darts"]
    assert bash("--rules=warm_up,skip_s") == ["warm_up,skip_stop"]
    assert bash("--completion=") == ["bash", "fish", "zsh"]
    assert bash("--mode=s", "COMP_WORDBREAKS=' '") == ["--mode=search", "--mode=select"]


def test_bash_offers_only_what_the_mode_has(bash):
    assert set(bash("--mode=search --")) >= {"--epochs=", "--flip", "--noflip", "--help"}
    assert bash("--mode=search --genot") == []
    assert bash("--mode=train --genot") == ["--genotype="]
    assert bash("--mode=export --e") == ["--export_dir=", "--export_version="]


def test_bash_completes_paths(bash, tmp_path):
    (tmp_path / "first").mkdir()
    assert bash(f"--run_dir={tmp_path}/fi") == [f"{tmp_path}/first"]


def test_bash_itself_takes_the_script(tmp_path):
    """Through readline, as at a terminal: names, a value, and what follows."""
    if not shutil.which("bash"):
        pytest.skip("bash is not here")
    script, got = tmp_path / "completion.bash", tmp_path / "got"
    script.write_text(completion("bash"), encoding="utf-8")
    lines = f"""tf-darts() {{ printf '%s\\n' "$@" > {got}.part; mv {got}.part {got}; }}
source {script}
tf-darts --mod\tsea\t --alpha_l\t0.1 --nofl\t
exit
"""
    words = _typed(["bash", "--norc", "--noprofile", "-i"], lines, got)
    assert words == ["--mode=search", "--alpha_learning_rate=0.1", "--noflip"]


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_every_flag_is_in_the_script(shell):
    text = completion(shell)
    for name in presets.settings():
        assert name in text
    assert "version" in text and "slowness" not in text


def test_fish_completes_names_and_values(tmp_path):
    if not shutil.which("fish"):
        pytest.skip("fish is not here")
    script = tmp_path / "completion.fish"
    script.write_text(completion("fish"), encoding="utf-8")

    def offered(line):
        ask = f"source {script}; complete -C '{line}'"
        done = subprocess.run(["fish", "-c", ask], capture_output=True, text=True, check=True)
        return [answer.partition("\t")[0] for answer in done.stdout.splitlines()]

    assert offered("tf-darts --mode=s") == ["--mode=search", "--mode=select"]
    assert "--alpha_learning_rate" in "".join(offered("tf-darts --alpha_l"))
    assert offered("tf-darts --mode=search --genot") == []
    assert offered("tf-darts --mode=train --genot") != []


def test_zsh_completes_names_and_values(tmp_path):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not here")
    (tmp_path / "_tf-darts").write_text(completion("zsh"), encoding="utf-8")
    lines = f"""cd {tmp_path}; tf-darts() {{ print -l -- "$@" > part; mv part got; }}
fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D
tf-darts --mode=sea\t --alpha_l\t0.1 --genot\t --nofl\t
exit
"""
    got = _typed(["zsh", "-f", "-i"], lines, tmp_path / "got")
    assert got == ["--mode=search", "--alpha_learning_rate=0.1", "--genot", "--noflip"]


def _typed(command, lines, result):
    """The words in a file that a shell writes which is given lines on a terminal."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "dumb"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as shell:
        os.write(ours, lines.encode())
        shell.wait(timeout=30)
    os.close(ours)
    os.close(theirs)
    return result.read_text().split()


def test_another_shell_is_refused():
    values = flags.FlagValues()
    questions.define_flags(values)
    with pytest.raises(UserError, match="--completion=tcsh: not known; use one of bash, fish, zsh"):
        questions.parse(["main", "--completion=tcsh"], values)
