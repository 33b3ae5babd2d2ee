"""tools/quickstart.sh with a Python that does nothing: what it runs, and what it tells."""

import re
import shlex
import shutil
import subprocess

import pytest
from absl import flags

from tests.support.paths import ROOT
from tf_darts.cli import flags as command_line
from tf_darts.cli import program, questions

pytestmark = pytest.mark.skipif(
    not (ROOT / "tools").is_dir() or not shutil.which("bash"), reason="not in a checkout with bash"
)

# It is suitable, installs everything at once, and writes down what else it is asked for.
_PYTHON = """#!/bin/sh
case "$1" in -c) exit 0 ;; esac
case "$2" in pip | compileall) exit 0 ;; esac
printf '%s\\n' "$*" >> "$ASKED"
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Output and commands of a whole quickstart, in a folder whose name has a blank."""
    root = tmp_path_factory.mktemp("check out")
    for name in ("tools/quickstart.sh", "tools/venv.sh", "requirements.txt", "pyproject.toml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(_PYTHON, encoding="utf-8")
    python.chmod(0o755)
    asked = root / "asked"
    done = subprocess.run(
        ["bash", str(root / "tools" / "quickstart.sh"), "--seed=1"],
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "ASKED": str(asked)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    # A stage that takes no time stops its ticker while bash is still starting that, which bash may
    # say; no real stage is as short.
    said = [line for line in done.stderr.splitlines() if "wait_for: No record" not in line]
    assert said == []
    return root, done.stdout, asked.read_text(encoding="utf-8").splitlines()


def test_each_stage_says_what_it_does_and_how_long_it_takes(ran):
    _, out, _ = ran
    heads = re.findall(r"^== (\d) of 9: (.+) \((.+)\)$", out, re.MULTILINE)
    assert [number for number, _, _ in heads] == list("123456789")
    for number, _, time in heads:
        assert re.search(r"minute|second", time), number
        said = out.split(f"== {number} of 9")[1].splitlines()[1]
        assert re.match(r"   [A-Z\"]", said), number
    for word in ("Perplexity: ", "Accuracy: ", "Entropy: ", "top_labels"):
        assert word in out


def test_the_runs_follow_from_each_other(ran):
    _, _, asked = ran
    modes = ["search", "train", "test", "search", "train", "test", "export"]
    assert len(asked) == len(modes) + 1 and "answer_request.py" in asked[-1]
    for command, mode in zip(asked, modes, strict=False):
        assert f"--mode={mode}" in command or f"quickstart{'_train' * (mode == 'train')}" in command
        assert command.startswith("-m tf_darts.main") and "__seed_1" in command
        assert command.endswith("--seed=1") == (mode in ("search", "train"))
    assert "--genotype=runs/quickstart_search_images__seed_1/genotype.json" in asked[4]


def test_it_ends_with_commands_that_can_be_pasted(ran):
    root, out, _ = ran
    (following,) = re.findall(r"== What to try next\n(.*)", out, re.DOTALL)
    commands = [
        shlex.split(line.partition(":  ")[2]) for line in following.replace("\\\n", "").splitlines()
    ]
    commands = [words for words in commands if words and words[0].endswith("/tf-darts")]
    assert len(commands) == 2
    for _, *words in commands:
        values = flags.FlagValues()
        command_line.define_flags(values)
        questions.define_flags(values)
        words = [word.replace(f"{root}/", f"{ROOT}/") for word in words]
        if "--help" in words:
            with pytest.raises(SystemExit):
                questions.parse(["main", *words], values)
        else:
            assert program.parse_flags(["main", *words], values) == ["main"]
            assert command_line.config_from_flags(values).method == "gdas"
    for document in re.findall(r"docs/\w+\.md", following):
        assert (ROOT / document).is_file()
