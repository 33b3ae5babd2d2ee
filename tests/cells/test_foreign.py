"""Cells as other programs write them."""

import collections
import json
import pathlib

import pytest

import tf_darts
from tf_darts.cells import genotype, genotype_files, references
from tf_darts.cells.foreign import is_text
from tf_darts.cells.genotype import ConvolutionalGenotype, RecurrentGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.config.given_cell import find_cell
from tf_darts.config.presets import configure
from tf_darts.config.study import SelectConfig
from tf_darts.errors import UserError
from tf_darts.study.candidates import select_candidates
from tf_darts.study.settings import training_config

V2 = PUBLISHED["convolutional"]["darts_v2"]
RNN = PUBLISHED["recurrent"]["darts_v2"]
FLAT = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0),"
    " ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0),"
    " ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0),"
    " ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0),"
    " ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
RECURRENT = (
    "Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ('relu', 1), ('identity', 1), ('tanh', 2),"
    " ('sigmoid', 5), ('tanh', 3), ('relu', 5)], concat=range(1, 9))"
)
NESTED = (
    "Genotype(normal=[[('skip_connect', 0), ('max_pool_3x3', 1)]], normal_concat=range(2, 3),"
    " reduce=[[('skip_connect', 0), ('max_pool_3x3', 1)]], reduce_concat=range(2, 3))"
)
SMALL = ConvolutionalGenotype(
    ((("skip_connect", 0), ("max_pool_3x3", 1)),),
    (2,),
    ((("skip_connect", 0), ("max_pool_3x3", 1)),),
    (2,),
)
MODULE = f"""
from collections import namedtuple

Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
PRIMITIVES = ["none", "max_pool_3x3"]
print("never executed"); raise SystemExit("nor this")

SMALL = {NESTED}
DARTS_V2: Genotype = {FLAT}
DARTS = DARTS_V2
"""
NNI = {
    "normal_n2_p0": "sepconv3x3",
    "normal_n2_p1": "skipconnect",
    "normal_n2_switch": ["normal_n2_p0", "normal_n2_p1"],
    "normal_n3_p0": [],
    "normal_n3_p1": "maxpool",
    "normal_n3_p2": "dilconv5x5",
    "normal_n3_switch": ["normal_n3_p2", "normal_n3_p1"],
    "reduce_n2_p0": "maxpool",
    "reduce_n2_p1": "avgpool",
    "reduce_n2_switch": ["reduce_n2_p0", "reduce_n2_p1"],
}
NUMBERED = {
    "normal/op_2_0": "sep_conv_3x3",
    "normal/input_2_0": 1,
    "normal/op_2_1": "skip_connect",
    "normal/input_2_1": [0],
    "reduce/op_2_0": "max_pool_3x3",
    "reduce/input_2_0": [0],
    "reduce/op_2_1": "avg_pool_3x3",
    "reduce/input_2_1": [1],
}
BENCH_201 = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        (FLAT, V2),
        (NESTED, SMALL),
        (RECURRENT, RNN),
        (f"DARTS_V2 = {FLAT}\n", V2),
        (f"\ufeff  {NESTED}", SMALL),
        (FLAT.replace("Genotype(", "genotypes.Genotype("), V2),
        (FLAT.replace("[2, 3, 4, 5]", "list(range(2, 6))"), V2),
        (repr(V2), V2),
        (repr(RNN), RNN),
        (
            "{'recurrent': [('tanh', 0), ('relu', 1)], 'concat': range(1, 3)}",
            RecurrentGenotype((("tanh", 0), ("relu", 1)), (1, 2)),
        ),
        (json.dumps(V2.to_dict()), V2),
        (json.dumps(RNN.to_dict()), RNN),
        (
            "Genotype([('sepconv3x3', 0), ('skipconnect', 1)], [2], [('maxpool', 0),"
            " ('avgpool', 1)], [2])",
            ConvolutionalGenotype(
                [("sep_conv_3x3", 0), ("skip_connect", 1)],
                [2],
                [("max_pool_3x3", 0), ("avg_pool_3x3", 1)],
                [2],
            ),
        ),
        (
            json.dumps(NNI),
            ConvolutionalGenotype(
                [
                    ("sep_conv_3x3", 0),
                    ("skip_connect", 1),
                    ("max_pool_3x3", 1),
                    ("dil_conv_5x5", 2),
                ],
                [2, 3],
                [("max_pool_3x3", 0), ("avg_pool_3x3", 1)],
                [2],
            ),
        ),
        (
            json.dumps(NUMBERED),
            ConvolutionalGenotype(
                [("sep_conv_3x3", 1), ("skip_connect", 0)],
                [2],
                [("max_pool_3x3", 0), ("avg_pool_3x3", 1)],
                [2],
            ),
        ),
    ],
)
def test_what_is_read_from_a_file_and_from_the_command_line(tmp_path, text, cell):
    file = tmp_path / "cell.txt"
    file.write_text(text, encoding="utf-8")
    assert genotype_files.load(file) == cell
    assert genotype_files.parse(text) == cell
    if is_text(text):
        assert references.read(text) == cell
        dataset = "ptb" if cell.space == "recurrent" else "digits"
        config = configure({"mode": "train", "dataset": dataset, "genotype": text})
        assert find_cell(config) == cell
        assert config.run_dir == f"runs/train_{dataset}_{references.identifier(cell)}_seed0"


@pytest.mark.parametrize("text", [BENCH_201, f"\n {BENCH_201} \n", BENCH_201.strip("|")])
def test_a_space_s_own_form_is_read_too(tmp_path, text):
    file = tmp_path / "cell.txt"
    file.write_text(text, encoding="utf-8")
    cell = genotype_files.load(file)
    assert cell == genotype_files.parse(text) == references.read(text)
    assert cell.space == "nasbench201" and is_text(text)
    assert [name for node in cell.cells["cell"].nodes for name, _ in node] == [
        *("nor_conv_3x3", "skip_connect", "none", "nor_conv_3x3", "avg_pool_3x3", "none"),
    ]
    config = configure({"mode": "train", "dataset": "digits", "genotype": text})
    assert (config.space, find_cell(config)) == ("nasbench201", cell)
    name = references.identifier(cell)
    assert config.run_dir == f"runs/train_digits_nasbench201_{name}_seed0"
    assert references.provenance(text, cell) == {"mode": "train", "given": name, "text": text}
    with pytest.raises(UserError, match="it is one cell, in which nothing is named MINE; leave"):
        genotype_files.load(f"{file}:MINE")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BENCH_201.replace("none~1", "sep~1"), "unknown operation 'sep' of NAS-Bench-201; use one"),
        (BENCH_201.replace("none~1", "none~0"), "node 2 of the cell reads the nodes [0, 0]"),
        (BENCH_201.replace("+", ""), "is written like |nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+"),
        ("Genotype(normal=[('sep_conv_3x3', 0), …", "neither JSON nor a line of Python (line 1: "),
        (FLAT.replace("skip_connect", "none"), "unknown operation 'none'; use one of max_pool_3x3"),
        (FLAT.replace("'skip_connect'", "None"), "expected a list of [operation, predecessor]"),
        (
            FLAT.replace("[2, 3, 4, 5]", "range(2, N)"),
            "write these out, since nothing is evaluated",
        ),
        (FLAT.replace("[2, 3, 4, 5]", "range(10**9)"), "something other than names, numbers, lis"),
        (FLAT.replace("[2, 3, 4, 5]", "range(1, 1000000000)"), "something other than names"),
        (
            FLAT.replace("reduce=", "other="),
            "these are normal, normal_concat, other, reduce_concat",
        ),
        (FLAT.replace("reduce=", "normal="), "its cell has a field twice"),
        ("Genotype(__import__('os').system('true'), [1])", "nothing is evaluated"),
        ("Genotype(*cells)", "something other than names"),
        ("Genotype([1], [2], [3])", "something other than names"),
        ("x = 3", "it has no cell; give RUN/genotype.json"),
        (f"{FLAT}\n{NESTED}", "it has a cell without a name twice; keep one, or give each a name"),
        (f"A = {FLAT}\nA = {NESTED}", "it has the cell A twice; keep one"),
        (json.dumps({"normal": 1}), "these are normal; give RUN/genotype.json"),
        (json.dumps({}), "these are none; give RUN/genotype.json"),
        (
            json.dumps(NNI | {"normal_n3_switch": ["normal_n3_p0", "normal_n3_p1"]}),
            "NNI's JSON keeps",
        ),
        (json.dumps(NNI | {"normal_n3_switch": ["normal_n2_p0", 3]}), "NNI's JSON keeps"),
        (
            json.dumps(NNI | {"normal_n3_switch": ["normal_n3_p1"]}),
            "node 3: needs two edges, has 1",
        ),
        (json.dumps({k: v for k, v in NNI.items() if "_n2_" not in k}), "nodes [3] of the normal"),
        (json.dumps({"normal_n2_p0": "maxpool"}), "node"),
        (json.dumps(NUMBERED | {"normal/input_2_0": None}), "expected a list of [operation"),
    ],
)
def test_what_is_refused_says_what_and_names_both_forms(tmp_path, text, sentence):
    file = tmp_path / "cell.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        genotype_files.load(file)
    message = str(error.value)
    assert message.startswith(f"{file}: ") and sentence in message and "\n" not in message
    if is_text(text):
        with pytest.raises(UserError) as error:
            references.read(text)
        assert sentence in str(error.value) and str(error.value).startswith("--genotype=")


def test_a_module_of_several_cells_is_asked_by_name(tmp_path):
    file = tmp_path / "genotypes.py"
    file.write_text(MODULE)
    with pytest.raises(UserError) as error:
        genotype_files.load(file)
    assert "it has several cells, SMALL, DARTS_V2, DARTS; say which one" in str(error.value)
    advice = str(error.value).rpartition(" as in ")[2].rstrip(".")
    assert advice == f"{file}:DARTS"
    assert genotype_files.load(advice) == V2, "the advice works"
    assert genotype_files.load(f"{file}:SMALL") == SMALL
    with pytest.raises(
        UserError, match="no cell named OTHER, but the cells SMALL, DARTS_V2, DARTS"
    ):
        genotype_files.load(f"{file}:OTHER")
    ours = tmp_path / "genotype.json"
    genotype_files.save(ours, V2)
    with pytest.raises(UserError, match="it is JSON, in which nothing is named X; leave that out"):
        genotype_files.load(f"{ours}:X")


def test_one_cell_needs_no_name_and_may_have_aliases(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(f"A = {NESTED}\nB = A\n")
    assert genotype_files.load(file) == genotype_files.load(f"{file}:B") == SMALL
    odd = tmp_path / "odd:NAME"
    genotype_files.save(odd, V2)
    assert genotype_files.load(odd) == V2, "a file's own name wins"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("runs/found/genotype.json", "found"),
        ("genotype.json", "genotype"),
        ("cells/mine.txt", "mine"),
        ("cells/genotypes.py:PDARTS", "genotypes_PDARTS"),
        ("runs/found/history.jsonl:7", "found_epoch7"),
        ("darts_v2", "darts_v2"),
    ],
)
def test_directories_are_named_after_the_cell(given, name):
    config = configure({"mode": "train", "dataset": "cifar10", "genotype": given})
    assert config.run_dir == f"runs/train_cifar10_{name}_seed0"


def test_a_text_that_is_no_cell_is_refused_with_the_settings():
    with pytest.raises(
        UserError, match=r"--genotype=Genotype\(normal=\[\): it is neither JSON nor"
    ):
        configure({"mode": "train", "dataset": "cifar10", "genotype": "Genotype(normal=[)"})


def test_the_official_named_tuple_in_python():
    official = collections.namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
    edges = [("skip_connect", 0), ("max_pool_3x3", 1)]
    flat = official(edges, range(2, 3), edges, range(2, 3))
    assert ConvolutionalGenotype(*flat) == SMALL
    assert tf_darts.ConvolutionalGenotype(*official([edges], [2], [edges], [2])) == SMALL
    name = references.identifier(SMALL)
    for cell in (flat, flat._asdict(), SMALL):
        with pytest.raises(
            UserError, match=f"--genotype={name}: a convolutional cell; --dataset=ptb"
        ):
            tf_darts.train(cell, dataset="ptb")
    recurrent = collections.namedtuple("Genotype", "recurrent concat")
    cell = recurrent([("tanh", 0)], range(1, 2))
    assert RecurrentGenotype(*cell) == RecurrentGenotype((("tanh", 0),), (1,))
    with pytest.raises(UserError, match="a recurrent cell; --dataset=digits"):
        tf_darts.train(cell, dataset="digits")
    wrong = collections.namedtuple("Genotype", "normal reduce")
    with pytest.raises(UserError, match="a cell has the fields normal, normal_concat, reduce"):
        tf_darts.train(wrong([], []), dataset="digits")


def test_a_training_keeps_a_text_beside_a_name_for_it(tmp_path):
    ours, theirs = tmp_path / "genotype.json", tmp_path / "theirs.py"
    genotype_files.save(ours, V2)
    theirs.write_text(MODULE)
    assert references.provenance(str(ours), V2) == {"mode": "train", "given": str(ours)}
    assert references.provenance(f"{theirs}:SMALL", SMALL) == {
        "mode": "train",
        "given": references.identifier(SMALL),
        "file": f"{theirs}:SMALL",
    }
    assert references.provenance("darts_v2", V2) == {"mode": "train", "given": "darts_v2"}
    assert references.provenance(NESTED, SMALL) == {
        "mode": "train",
        "given": references.identifier(SMALL),
        "text": NESTED,
    }


def test_cells_of_a_selection(tmp_path):
    file = tmp_path / "genotypes.py"
    file.write_text(MODULE)

    def candidates(text):
        config = SelectConfig(dataset="digits", candidates=text)
        return select_candidates(config, training_config(config))

    first, second = candidates(f"{file}:SMALL,{file}:DARTS")
    assert (first.cell, second.cell) == (SMALL, V2)
    assert first.name.endswith("_genotypes_SMALL") and second.name.endswith("_genotypes_DARTS")
    with pytest.raises(UserError, match="put the text into a file"):
        candidates(NESTED)


@pytest.mark.parametrize(
    ("file", "space"),
    [
        ("V16_official_genotype.txt", "convolutional"),
        ("V16_nested_genotype.txt", "convolutional"),
        ("V17_official_module.py", "convolutional"),
        ("V17_official_module.py:MY_CELL", "convolutional"),
        ("V17_recurrent_official.txt", "recurrent"),
        ("V17_nni.json", "convolutional"),
        ("tiny_conv.json", "convolutional"),
        ("two.json", "convolutional"),
        ("tiny_rnn.json", "recurrent"),
    ],
)
def test_cells_of_public_reports(shared, file, space):
    cell = genotype_files.load(shared / "cases" / file)
    assert cell.space == space and genotype.SPACES[space].from_dict(cell.to_dict()) == cell


def test_a_label_is_no_longer_than_a_directory_may_be(tmp_path, monkeypatch):
    """Also of what is no cell, which is refused when it is read: not as a directory's name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    settings = {"mode": "train", "dataset": "digits", "genotype": "import os\n" + "é" * 500}
    name = pathlib.Path(configure(settings).run_dir).name
    assert name.startswith("train_digits_import os") and len(name.encode()) < 255
    assert references.label("runs/found/genotype.json") == "found"
