"""README.md and docs/*.md: the commands and programs that they name are there.

- Every `python -m tf_darts.main …` in a block of code: its flags are read and must make a valid
  configuration, as in the command itself before it looks at data or directories. Sentences have
  pieces of commands only: their flags must be there, and their values among the choices.
- Every other program in a block: it must be there, and define the flags that it is given; an extra
  that pip is told to install must be one.
- Blocks in Python must compile, and take from tf_darts what is public.
- The steps of docs/quickstart.md are run one after the other (slow): the training and the last one
  in processes of their own, the others in this one, and the search without compiling functions.
  The commands of the other documents are run by tests/test_document_commands.py.

The commands at the head of each flagfile are in tests/test_flagfiles.py.
"""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib

import numpy as np
import pytest
from absl import flags

import tf_darts
from tests.support import in_process
from tests.support.paths import ROOT
from tests.support.registries import forget_members
from tf_darts.cells import genotype, genotype_files
from tf_darts.cli import flags as command_line
from tf_darts.cli import members, questions
from tf_darts.config import presets as config

pytestmark = pytest.mark.skipif(
    not (ROOT / "MODULE.bazel").exists(), reason="not in a checkout, so the programs are not there"
)

DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
TOY = {
    "search": ["--hypergradient=first_order", "--channels=2", "--epochs=1", "--steps_per_epoch=1"],
    "train": ["--channels=2", "--epochs=1", "--steps_per_epoch=2"],
}


def blocks(document):
    """The blocks of code of a document."""
    text = document.read_text(encoding="utf-8")
    found = re.findall(r"(?:^|\n\n)((?:    .*\n(?:\n(?=    ))?)+)", text)
    return [textwrap.dedent(block) for block in found]


def is_python(block):
    return re.match(r"(import|from) ", block) is not None


def commands_of(block):
    """The commands of a block as lists of words; variables that it sets are put in."""
    pending, variables, found = "", {}, []
    for line in block.splitlines():
        if line.endswith("\\"):
            pending += line[:-1]
            continue
        pending += line + "\n"
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quotation goes on
            continue
        pending = ""
        while words and re.match(r"\w+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            variables[f"${name}"] = value.split()
        found.append([part for word in words for part in variables.get(word, [word])])
    return found


def commands(program):
    """The words of every command in the documents that begins like `program`, as parameters."""
    found = []
    for document in DOCUMENTS:
        shell = [block for block in blocks(document) if not is_python(block)]
        for i, words in enumerate(words for block in shell for words in commands_of(block)):
            if re.match(program, " ".join(words)):
                found.append(pytest.param(words, id=f"{document.stem}-{i}"))
    return found


def test_blocks_and_commands_are_found():
    assert commands_of('A="--b=1\n  --c"\nB=2 python x \\\n  $A # d\n') == [
        [],
        ["python", "x", "--b=1", "--c"],
    ]
    assert len(commands("python -m tf_darts.main")) > 40 and len(commands("python tools/")) > 10


@pytest.fixture
def loaded(monkeypatch):
    """Registers what a command's `--load` brings in, until the test is over."""
    forget_members(monkeypatch)
    before = set(sys.modules)
    yield lambda words: members.load_members(members.requested(words))
    for name in set(sys.modules) - before:
        if name.startswith("tf_darts_members."):
            del sys.modules[name]


@pytest.mark.parametrize("words", commands("python -m tf_darts.main"))
def test_flags_make_a_configuration(words, monkeypatch, loaded):
    monkeypatch.chdir(ROOT)  # from where the flagfiles are found
    loaded(words[3:])
    values = flags.FlagValues()
    command_line.define_flags(values)
    flags.DEFINE_string("flagfile", None, "as absl has it", flag_values=values)
    rest = values(words[2:])
    assert rest == ["tf_darts.main"]
    assert command_line.config_from_flags(values).mode


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.stem)
def test_flags_in_sentences_are_there(document):
    others = {"flagfile", "help", "load", "logdir", "enable_batching", "batching_parameters_file"}
    others |= {"monitoring_config_file"}
    others |= {"print_config", "completion", "version"}
    files = [*ROOT.glob("tools/*.py"), *ROOT.glob("experiments/*.py")]
    programs = "".join(file.read_text("utf-8") for file in files)
    settings = config.settings()
    sentences = re.sub(r"(?m)^    .*$", "", document.read_text(encoding="utf-8"))
    for code in re.findall(r"`([^`]*--[^`]*)`", sentences):
        for name, value in re.findall(r"--(\w+)(?:=([\w|]+))?", code):
            assert name in settings or name in others or f'"{name}"' in programs, code
            choices = config.modes() if name == "mode" else ()
            if name in settings:
                choices = choices or settings[name].metadata["choices"]
            if value and choices:
                assert set(value.split("|")) <= set(choices), code


@pytest.mark.parametrize("words", commands("tf-darts "))
def test_the_console_script_answers(words, capsys):
    """What it is asked in a document has an answer, which may go into a file."""
    values = flags.FlagValues()
    command_line.define_flags(values)
    questions.define_flags(values)
    with pytest.raises(SystemExit) as end:
        questions.parse(words[: words.index(">")] if ">" in words else words, values)
    assert end.value.code == 0 and "tf-darts" in capsys.readouterr().out


@pytest.mark.parametrize("words", commands(r"(python )?(tools|examples|experiments)/\w"))
def test_programs_are_there_and_have_the_flags(words):
    program, *arguments = [word for word in words if word != "python"]
    assert (ROOT / program).is_file()
    if program.endswith(".sh"):
        assert os.access(ROOT / program, os.X_OK)
        return
    # A program may have flags of what it imports from beside it, or from the tools.
    source = (ROOT / program).read_text(encoding="utf-8")
    for module in re.findall(r"(?m)^(?:import|from) (\w+)", source):
        for folder in {(ROOT / program).parent, ROOT / "tools"}:
            beside = folder / f"{module}.py"
            source += beside.read_text(encoding="utf-8") if beside.exists() else ""
    values = flags.FlagValues()
    if "command_line.define_flags()" in source:  # it takes those of the command, and flagfiles
        command_line.define_flags(values)
        flags.DEFINE_string("flagfile", "", "A file of flags.", flag_values=values)
    for name in (word[2:].partition("=")[0] for word in arguments if word.startswith("--")):
        found = name in values
        found = found or re.search(f'"(--)?{name}"', source)
        found = found or re.search(f'DEFINE_bool\\(\\s*"{name.removeprefix("no")}"', source)
        assert found, f"{program} has no --{name}"


def test_extras_are_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    extras = set(re.findall(r"pip install [^`\n]*\[(\w+)\]", text))
    assert extras and extras <= set(project["optional-dependencies"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.stem)
def test_python_takes_public_names(document):
    for block in filter(is_python, blocks(document)):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tf_darts":
                assert node.attr in tf_darts.__all__


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.stem)
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert link.startswith("http") or (document.parent / link).exists(), link


@pytest.fixture
def run(tmp_path):
    """Runs commands in a folder that looks like the checkout and is written to instead of it."""
    for name in ("docs", "examples", "flags", "tf_darts", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)

    def run_one(words):
        mode = next((word[7:] for word in words if word.startswith("--mode=")), None)
        if mode != "train" and "answer_request" not in words[1]:
            program, flags = (in_process.MAIN, words[3:]) if mode else (words[1], words[2:])
            status, out, err = in_process.run(
                *(program, *flags, *TOY.get(mode, [])), cwd=tmp_path, eagerly=mode == "search"
            )
            assert status == 0, err
            return out
        done = subprocess.run(
            [sys.executable, *words[1:], *TOY.get(mode, [])],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
        return done.stdout

    return run_one


@pytest.mark.long  # tests/test_main.py and test_export_command.py run the same modes
def test_the_quickstart_step_by_step(run, tmp_path):
    steps = [param.values[0] for param in commands("python ") if param.id.startswith("quickstart-")]
    assert [words[-1].partition("=")[0] for words in steps[-2:]] == ["--export_dir", "--image"]
    outputs = [run(words) for words in steps]
    page = (tmp_path / "runs" / "found" / "report.html").read_text(encoding="utf-8")
    assert "<h1>search found</h1>" in page and "The cell over the epochs" in page
    (answer,) = json.loads(outputs[-1])["predictions"]
    assert set(answer["top_labels"]) < set("0123456789")
    found = tmp_path / "runs" / "found"
    assert "the most frequent class" in outputs[0] and "Found after 1 epoch and" in outputs[0]
    assert isinstance(genotype_files.load(found / "genotype.json"), genotype.ConvolutionalGenotype)
    (record,) = map(json.loads, (found / "history.jsonl").read_text().splitlines())
    assert 0 <= record["validation_accuracy"] <= 100
    assert {name: np.shape(table) for name, table in record["mixing"].items()} == {
        "normal": (14, 8),
        "reduce": (14, 8),
    }
    for picture in ("cell", "alpha_normal", "alpha_reduce", "curves"):
        assert (found / "plots" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
