"""`--print_config`: a flagfile that leads to the same configuration again."""

import pathlib

import pytest
from absl import flags

from tests.support.registries import forget_members
from tf_darts.cells.published import published_cells
from tf_darts.cli import flags as command_line
from tf_darts.cli import program, questions
from tf_darts.cli.members import load_members, requested
from tf_darts.config import presets
from tf_darts.config.given_cell import find_cell
from tf_darts.errors import UserError

TRAINED = {"mode": "train", "genotype": "darts_v2"}
COMMANDS = [
    *({"mode": mode, "dataset": name} for mode, name in presets.PRESETS if mode == "search"),
    *(TRAINED | {"dataset": name} for mode, name in presets.PRESETS if mode == "train"),
    {"mode": "search", "dataset": "cifar10", "space": "nasbench201"},
    {"mode": "search", "dataset": "ptb", "method": "joint_alternating"},
    {"mode": "search", "dataset": "ptb", "method": "robust_darts_l2", "epochs": 30},
    {"mode": "search", "dataset": "cifar10", "method": "darts_plus", "weight_learning_rate": 0.05},
    TRAINED | {"dataset": "cifar10", "train_on_all": True},
    TRAINED | {"dataset": "cifar10", "schedule": "exponential"},
    TRAINED | {"dataset": "folder", "image_size": 16, "stream_images": True},
    {"mode": "search", "dataset": "cifar10", "method": "p_darts", "layers": 5},  # the first stage's
    {"mode": "select", "dataset": "ptb", "candidates": "random"},
    {"mode": "black_box", "dataset": "ptb", "tuner": "hyperband"},
    {"mode": "tune", "dataset": "ptb", "tune": "units=1:9", "genotype": "darts_v2"},
    {"mode": "export", "run_dir": "a b", "export_dir": "c"},
    {"mode": "test", "run_dir": "#a"},
    {"mode": "report", "run_dir": "a,b"},
]


def flag_values():
    values = flags.FlagValues()
    command_line.define_flags(values)
    questions.define_flags(values)
    return values


def printed(capsys, *words):
    with pytest.raises(SystemExit) as end:
        questions.parse(["main", *words, "--print_config"], flag_values())
    assert end.value.code == 0
    return capsys.readouterr().out


def section(text, heading):
    (part,) = [part for part in text.split("\n\n") if part.startswith(f"# {heading}")]
    return part.splitlines()[1:]


@pytest.mark.parametrize("given", COMMANDS, ids=str)
def test_read_again_it_is_the_same_configuration(given, capsys, tmp_path):
    words = [f"--{name}={value}" for name, value in given.items()]
    file = tmp_path / "again.flags"
    text = printed(capsys, *words)
    file.write_text(text, encoding="utf-8")
    values = flag_values()
    assert program.parse_flags(["main", f"--flagfile={file}"], values) == ["main"]
    again, wanted = command_line.config_from_flags(values), presets.configure(given)
    assert type(again) is type(wanted) and again == wanted
    assert section(text, "The command line gives:") != []


def test_it_says_where_values_are_from(capsys, tmp_path):
    file = tmp_path / "mine.flags"
    file.write_text("--mode=search\n--dataset=ptb\n--epochs=7\n--units=9\n", encoding="utf-8")
    text = printed(capsys, f"--flagfile={file}", "--epochs=8", "--deterministic")
    assert section(text, f"In --flagfile={file} stands:") == [
        "--mode=search",
        "--dataset=ptb",
        "--units=9",
    ]
    assert section(text, "The command line gives:") == ["--epochs=8", "--deterministic"]
    preset = section(text, "The preset of --mode=search --dataset=ptb --space=recurrent")
    assert "--bptt=35" in preset and "--epochs=8" not in preset
    assert section(text, "From the others follows:") == ["--run_dir=runs/search_ptb_darts_seed0"]


def test_what_would_be_refused_is_a_comment(capsys):
    text = printed(capsys, "--mode=train", "--dataset=cifar10", "--genotype=darts_v2")
    assert "# --learning_rate_decay=0.97" in text.splitlines()


def test_an_old_name_is_printed_as_the_new_one(capsys):
    text = printed(capsys, "--mode=export", "--run_dir=a", "--export_dir=b", "--version=3")
    assert "--export_version=3" in section(text, "The command line gives:")


def test_nothing_is_said_of_old_names_that_nobody_typed(capsys):
    words = ("--mode=train", "--dataset=imagenet2012", "--genotype=darts_v2", "--print_config")
    with pytest.raises(SystemExit):
        questions.parse(["main", *words], flag_values())
    assert capsys.readouterr().err == ""


def test_members_of_others_come_with_it(capsys, tmp_path, monkeypatch):
    forget_members(monkeypatch)
    files = []
    for name in ("one", "two"):
        files.append(str(tmp_path / f"{name}.py"))
        text = f"from tf_darts import methods\nmethods.register_method('{name}', 'a method')\n"
        pathlib.Path(files[-1]).write_text(text, encoding="utf-8")
    load_members(files)
    words = ["--mode=search", "--dataset=ptb", "--method=two"]
    text = printed(capsys, f"--load={files[0]}", *words, f"--load={files[1]}")
    loads = section(text, "The members of these files are known:")
    assert loads == [f"--load={files[0]},{files[1]}"]
    file = tmp_path / "again.flags"
    file.write_text(text, encoding="utf-8")
    assert requested([f"--flagfile={file}"], flag_values()) == files


def test_a_cell_in_several_lines_is_printed_in_one(capsys, tmp_path):
    cell = published_cells("recurrent")["darts_v2"]
    edges = next(iter(cell.to_dict().values()))
    lines = ",\n".join(str(tuple(edge)) for edge in edges)
    text = f"Genotype(recurrent=[\n{lines}], concat=range(1, 9))"
    given = {"mode": "train", "dataset": "ptb", "genotype": text}
    made = printed(capsys, *(f"--{name}={value}" for name, value in given.items()))
    file = tmp_path / "again.flags"
    file.write_text(made, encoding="utf-8")
    values = flag_values()
    program.parse_flags(["main", f"--flagfile={file}"], values)
    again = command_line.config_from_flags(values)
    assert find_cell(again) == cell
    assert again.run_dir == presets.configure(given).run_dir


def test_a_wrong_configuration_is_refused():
    with pytest.raises(UserError, match="no --dataset given"):
        questions.parse(["main", "--mode=search", "--print_config"], flag_values())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tune=unit=1:9"], "--tune: unit is no setting of trainings on texts"),
        (["--tune=units=9:1"], "--tune: units=9:1 is no range"),
        (["--tune=units=1:9", "--train_settings=units=3"], "units has a value in --train_settings"),
        (
            ["--tune=units=1:9", "--train_settings=epoch=3"],
            "--train_settings: --epoch is no setting",
        ),
    ],
)
def test_the_texts_of_a_tuning_are_looked_at(words, sentence):
    with pytest.raises(UserError, match=sentence):
        questions.parse(
            ["main", "--mode=tune", "--dataset=ptb", *words, "--print_config"], flag_values()
        )


@pytest.mark.parametrize("mode", ["select", "black_box"])
def test_so_is_the_text_of_a_study_s_trainings(mode):
    words = [f"--mode={mode}", "--dataset=ptb", "--train_settings=epoch=3", "--print_config"]
    with pytest.raises(UserError, match="--train_settings: --epoch is no setting"):
        questions.parse(["main", *words], flag_values())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--search_settings=epoch=3"], "--search_settings: --epoch is no setting"),
        (
            ["--candidates=gdas,random", "--search_settings=method=darts"],
            "--search_settings: method is decided by the kind of the candidates",
        ),
        (["--search_settings=operations=relu"], "operations is decided by the study"),
        (["--candidates=nothing"], "--candidates: nothing is none of search, "),
        (["--candidates=enas,enas"], "enas is there twice; name each source once"),
        (["--candidates=enas", "--count=9"], "--count has no meaning for --candidates=enas"),
    ],
)
def test_so_is_the_text_of_a_selection_s_searches(words, sentence):
    words = ["--mode=select", "--dataset=ptb", *words, "--print_config"]
    with pytest.raises(UserError, match=sentence):
        questions.parse(["main", *words], flag_values())
