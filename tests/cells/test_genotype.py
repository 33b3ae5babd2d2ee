import dataclasses
import json

import pytest

from tf_darts.cells import genotype, genotype_files
from tf_darts.cells.discrete_cell import DiscreteCell
from tf_darts.cells.genotype import ConvolutionalGenotype, RecurrentGenotype
from tf_darts.cells.published import PUBLISHED
from tf_darts.errors import UserError

ALL = [(space, name) for space, cells in PUBLISHED.items() for name in cells]


@pytest.mark.parametrize(("space", "name"), ALL)
def test_round_trip_through_a_file(tmp_path, space, name):
    cell = PUBLISHED[space][name]
    file = tmp_path / "genotype.json"
    genotype_files.save(file, cell, {"seed": 3})
    assert genotype_files.load(file) == cell
    document = json.loads(file.read_text())
    assert document["provenance"] == {"seed": 3}
    assert (document["schema_version"], document["space"]) == (1, space)


def test_what_is_no_cell_is_not_saved(tmp_path):
    with pytest.raises(UserError, match="A str is no cell to be saved; give the file first, then"):
        genotype_files.save("x", str(tmp_path / "genotype.json"))
    assert not [*tmp_path.iterdir()]


def test_a_cell_carries_its_provenance(tmp_path):
    cell, file = PUBLISHED["recurrent"]["enas"], tmp_path / "genotype.json"
    assert cell.provenance == {}
    found = cell.with_provenance({"method": "exact", "seed": 3})
    assert dataclasses.replace(cell, provenance=found.provenance).provenance == found.provenance
    assert found == cell and hash(found) == hash(cell) and repr(found) == repr(cell)
    assert found.to_dict() == cell.to_dict()
    genotype_files.save(file, found)
    assert genotype_files.load(file).provenance == {"method": "exact", "seed": 3}


def test_the_old_name_of_provenance_is_read(tmp_path):
    document = _recurrent() | {"found_by": {"hypergradient": "exact"}}
    del document["provenance"]
    (tmp_path / "genotype.json").write_text(json.dumps(document))
    found = genotype_files.load(tmp_path / "genotype.json").provenance
    assert found == {"hypergradient": "exact"}


def _search(path, epochs=3):
    """What a search leaves: its cell, and the record of its epochs; returns the history."""
    cells = [RecurrentGenotype([(name, 0)], [1]) for name in ("tanh", "relu", "sigmoid")[:epochs]]
    records = [
        {
            "epoch": number,
            "step": 10 * number,
            "seconds": 5.0 * number,
            "validation_loss": 1.0,
            "validation_perplexity": 100.0 / number,
            "genotype": cell.to_dict(),
        }
        for number, cell in enumerate(cells, start=1)
    ]
    provenance = {"mode": "search", "seed": 4, "step": 30, "search_seconds": 15.0}
    provenance["supernet"] = {"epoch": 3, "validation_perplexity": 100.0 / 3}
    genotype_files.save(path / "genotype.json", cells[-1], provenance)
    file = path / "history.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def test_the_cell_of_an_epoch(tmp_path, monkeypatch):
    file = _search(tmp_path)
    cell = genotype_files.load(f"{file}:2")
    assert cell.edges == (("relu", 0),)
    assert cell.provenance == {
        "mode": "search",
        "seed": 4,
        "step": 20,
        "search_seconds": 10.0,
        "supernet": {"epoch": 2, "validation_perplexity": 50.0},
        "of_epoch": 2,
    }
    monkeypatch.chdir(tmp_path)
    assert genotype_files.load("history.jsonl:3") == genotype_files.load("genotype.json")


@pytest.mark.parametrize("end", ["", ":0", ":4", ":last"])
def test_an_epoch_that_a_history_has_not(tmp_path, end):
    file = _search(tmp_path)
    sentence = rf"history.jsonl: it has the cells of epochs 1 to 3; .*, as in {file}:3\.$"
    with pytest.raises(UserError, match=sentence):
        genotype_files.load(f"{file}{end}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"step": None}, "'step' is missing"), ({"genotype": {"recurrent": 3}}, "not a genotype")],
)
def test_an_epoch_that_is_broken(tmp_path, change, reason):
    file = _search(tmp_path, epochs=1)
    record = json.loads(file.read_text()) | change
    file.write_text(json.dumps({k: v for k, v in record.items() if v is not None}) + "\n")
    with pytest.raises(UserError, match=rf"epoch 1 cannot be read \({reason}"):
        genotype_files.load(f"{file}:1")


def test_a_history_without_cells(tmp_path):
    file = tmp_path / "history.jsonl"
    file.write_text('{"epoch": 1, "validation_loss": 1.0}\n')  # a training's
    with pytest.raises(UserError, match=r"history\.jsonl: it is not the history of a search; give"):
        genotype_files.load(f"{file}:1")


def test_primitives_are_in_the_order_of_alphas_columns():
    assert " ".join(genotype.RECURRENT_PRIMITIVES) == "none tanh relu sigmoid identity"
    assert " ".join(genotype.CONVOLUTIONAL_PRIMITIVES) == (
        "none max_pool_3x3 avg_pool_3x3 skip_connect"
        " sep_conv_3x3 sep_conv_5x5 dil_conv_3x3 dil_conv_5x5"
    )


def test_published_cells_of_darts_word_for_word():
    assert str(PUBLISHED["recurrent"]["darts_v1"]) == (
        "relu:0 relu:1 tanh:2 relu:3 relu:4 identity:1 relu:5 relu:1"
    )
    assert str(PUBLISHED["recurrent"]["darts_v2"]) == (
        "sigmoid:0 relu:1 relu:1 identity:1 tanh:2 sigmoid:5 tanh:3 relu:5"
    )
    assert PUBLISHED["convolutional"]["darts_v2"].to_dict() == {
        "normal": [
            *(["sep_conv_3x3", 0], ["sep_conv_3x3", 1], ["sep_conv_3x3", 0], ["sep_conv_3x3", 1]),
            *(["sep_conv_3x3", 1], ["skip_connect", 0], ["skip_connect", 0], ["dil_conv_3x3", 2]),
        ],
        "normal_concat": [2, 3, 4, 5],
        "reduce": [
            *(["max_pool_3x3", 0], ["max_pool_3x3", 1], ["skip_connect", 2], ["max_pool_3x3", 1]),
            *(["max_pool_3x3", 0], ["skip_connect", 2], ["skip_connect", 2], ["max_pool_3x3", 1]),
        ],
        "reduce_concat": [2, 3, 4, 5],
    }


@pytest.mark.parametrize(
    ("name", "nodes", "concat"),
    [
        ("darts_v1", 8, tuple(range(1, 9))),
        ("darts_v2", 8, tuple(range(1, 9))),
        ("enas", 11, (2, 5, 6, 9, 10, 11)),
    ],
)
def test_published_recurrent_counts(name, nodes, concat):
    cell = PUBLISHED["recurrent"][name]
    assert (len(cell.edges), cell.concat) == (nodes, concat)


@pytest.mark.parametrize(
    ("name", "nodes", "normal_concat", "reduce_concat"),
    [
        ("darts_v1", 4, (2, 3, 4, 5), (2, 3, 4, 5)),
        ("darts_v2", 4, (2, 3, 4, 5), (2, 3, 4, 5)),
        ("nasnet", 5, (2, 3, 4, 5, 6), (4, 5, 6)),
        ("amoebanet", 5, (4, 5, 6), (3, 4, 6)),
    ],
)
def test_published_convolutional_counts(name, nodes, normal_concat, reduce_concat):
    cell = PUBLISHED["convolutional"][name]
    assert (len(cell.normal), len(cell.reduce)) == (nodes, nodes)
    assert all(len(node) == 2 for node in cell.normal + cell.reduce)
    assert (cell.normal_concat, cell.reduce_concat) == (normal_concat, reduce_concat)


def test_the_two_spaces_publish_these():
    spaces = {"recurrent", "convolutional", "nasbench201", "planted", "s4_mini"}
    assert set(PUBLISHED) == set(genotype.SPACES) == spaces
    assert set(PUBLISHED["recurrent"]) == {"darts_v1", "darts_v2", "enas"}
    assert set(PUBLISHED["convolutional"]) == {"darts_v1", "darts_v2", "nasnet", "amoebanet"}


def test_from_derived_cells():
    derived = {"cell": [[("tanh", 0)], [("relu", 1)]]}
    assert RecurrentGenotype.from_cells(derived) == RecurrentGenotype(
        (("tanh", 0), ("relu", 1)), (1, 2)
    )
    node = [("max_pool_3x3", 0), ("skip_connect", 1)]
    made = ConvolutionalGenotype.from_cells({"normal": [node], "reduce": [node, node]})
    assert (made.normal, made.normal_concat) == ((tuple(node),), (2,))
    assert (made.reduce, made.reduce_concat) == ((tuple(node),) * 2, (2, 3))
    assert str(made) == (
        "normal max_pool_3x3:0 skip_connect:1"
        " / reduce max_pool_3x3:0 skip_connect:1 | max_pool_3x3:0 skip_connect:1"
    )


def test_kinds_of_cells_through_which_nothing_passes():
    through, dead = (("skip_connect", 0), ("none", 1)), (("none", 0), ("none", 1))
    behind = (("skip_connect", 2), ("none", 1))  # reads node 2 and nothing else

    def blocked(normal, reduce, concat=(2, 3)):
        made = {"normal": DiscreteCell(normal, concat), "reduce": DiscreteCell(reduce, concat)}
        return ConvolutionalGenotype(cells=made).blocked()

    assert blocked((through, behind), (dead, through)) == ""
    one = "Nothing passes through the reduce cell: `none` lies on every way from input to output."
    assert blocked((through, behind), (dead, behind)) == one
    assert "through the normal and reduce cells: " in blocked((dead, dead), (dead, behind))
    # The output leaves the living node out.
    assert "the normal cell: " in blocked((through, dead), (dead, through), concat=(3,))
    published = {name: cell for cells in PUBLISHED.values() for name, cell in cells.items()}
    assert [name for name, cell in published.items() if cell.blocked()] == ["all_none"]


def _recurrent(**changes):
    """A good document with some of its cell changed."""
    cell = {"recurrent": [["tanh", 0], ["relu", 1]], "concat": [1, 2]} | changes
    return {"schema_version": 1, "space": "recurrent", "cell": cell, "provenance": {}}


def _convolutional(**changes):
    edges = [["skip_connect", 0], ["max_pool_3x3", 1]]
    cell = {"normal": edges, "normal_concat": [2], "reduce": edges, "reduce_concat": [2]}
    return {"schema_version": 1, "space": "convolutional", "cell": cell | changes, "provenance": {}}


def test_the_good_documents_are_good(tmp_path):
    for document in (_recurrent(), _convolutional()):
        file = tmp_path / "genotype.json"
        file.write_text(json.dumps(document))
        assert genotype_files.load(file).to_dict() == document["cell"]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (_recurrent() | {"schema_version": 2}, "schema 2, this tf_darts reads 1; upgrade"),
        (_recurrent() | {"schema_version": "1"}, "schema '1', this tf_darts reads 1; write 1"),
        (_recurrent() | {"schema_version": True}, "schema True, this tf_darts reads 1; write 1"),
        (_recurrent() | {"schema_version": 1.0}, "schema 1.0, this tf_darts reads 1; write 1"),
        (
            _recurrent() | {"colour": 1},
            "unknown field 'colour'; a genotype file has schema",
        ),
        (_recurrent(colour=1), "unknown field 'colour' in its cell; a cell has recurrent, concat"),
        (_convolutional(nodes=4), "unknown field 'nodes' in its cell; a cell has normal, normal_"),
        (_recurrent() | {"provenance": 3}, "its provenance is not a JSON object; write {} there."),
        (_recurrent() | {"found_by": {}}, "it has found_by, the old name, beside provenance; take"),
        (_recurrent() | {"space": "quantum"}, "unknown space 'quantum'; known: convolutional, rec"),
        (_recurrent() | {"space": ["recurrent"]}, "unknown space ['recurrent']"),
        (_recurrent() | {"space": "convolutional"}, "'normal' is missing"),
        ({"space": "recurrent"}, "'schema_version' is missing"),
        ({"schema_version": 1, "space": "recurrent"}, "'cell' is missing"),
        (_recurrent() | {"cell": {}}, "'recurrent' is missing"),
        (_recurrent() | {"cell": [["tanh", 0]]}, "expected a JSON object"),
        ([], "expected a JSON object"),
        (None, "expected a JSON object"),
        ("tanh", "expected a JSON object"),
        (
            _recurrent(recurrent=[["gelu", 0], ["relu", 1]]),
            "node 1: unknown operation 'gelu'; use one of tanh, relu, sigmoid, identity, or add it"
            " first (--load=FILE.py).",
        ),
        (_recurrent(recurrent=[["none", 0], ["relu", 1]]), "unknown operation 'none'; use one of"),
        (
            _recurrent(recurrent=[["tanh", 0], ["relu", 2]]),
            "node 2: predecessor 2 is not an earlier node; a cell has no cycles, so use 0 to 1.",
        ),
        (_recurrent(recurrent=[["tanh", 5], ["relu", 0]]), "predecessor 5 is not an earlier node"),
        (_recurrent(recurrent=[["tanh", -1], ["relu", 0]]), "predecessor -1 is not an earlier"),
        (_recurrent(recurrent=[], concat=[1]), "recurrent cell: it has no nodes"),
        (
            _recurrent(recurrent=[[["tanh", 0], ["relu", 0]]], concat=[1, 2]),
            "recurrent cell, node 1: needs one edge, has 2.",
        ),
        (_recurrent(recurrent="tanh"), "expected a list of [operation, predecessor] pairs"),
        (_recurrent(recurrent=["ab"]), "expected a list of [operation, predecessor] pairs"),
        (_recurrent(recurrent=3), "expected a list of [operation, predecessor] pairs"),
        (_recurrent(recurrent=[["tanh"]]), "expected a list of [operation, predecessor] pairs"),
        (_recurrent(recurrent=[["tanh", 0.0]]), "expected a list of [operation, predecessor]"),
        (_recurrent(recurrent=[["tanh", False]]), "expected a list of [operation, predecessor]"),
        (_recurrent(recurrent=[[0, "tanh"]]), "expected a list of [operation, predecessor]"),
        (_recurrent(concat=[1, 3]), "joins nodes [1, 3], and its edges make 1 to 2; join distinct"),
        (_recurrent(concat=[1, 1]), "joins nodes [1, 1], and its edges make 1 to 2; join distinct"),
        (_recurrent(concat=[0, 1]), "joins nodes [0, 1], and its edges make 1 to 2; join distinct"),
        (
            _recurrent(concat=[1, 2, 3, 4]),  # too few nodes
            "joins nodes [1, 2, 3, 4], and its edges make 1 to 2; join distinct ones of these, or"
            " add the edges that are missing.",
        ),
        (_recurrent(concat=[]), "joins nodes [], and its edges make 1 to 2; join distinct"),
        (_recurrent(concat=[True, 2]), "expected a list of node numbers"),
        (_recurrent(concat=["1", "2"]), "expected a list of node numbers"),
        (_recurrent(concat=2), "expected a list of node numbers"),
        (_convolutional(reduce=[], reduce_concat=[]), "reduce cell: it has no nodes"),
        (_convolutional(normal=[["skip_connect", 0]]), "node 2: needs two edges, has 1."),
        (
            _convolutional(normal=[["skip_connect", 0], ["max_pool_3x3", 2]]),
            "normal cell, node 2: predecessor 2 is not an earlier node",
        ),
        (
            _convolutional(reduce=[["none", 0], ["max_pool_3x3", 1]]),
            "reduce cell, node 2: unknown operation 'none'; use one of max_pool_3x3,",
        ),
        (_convolutional(normal_concat=[0]), "normal cell: its output joins nodes [0]"),
    ],
)
def test_broken_files_are_one_sentence_with_the_path(tmp_path, document, sentence):
    file = tmp_path / "genotype.json"
    file.write_text(json.dumps(document))
    with pytest.raises(UserError) as error:
        genotype_files.load(file)
    text = str(error.value)
    assert sentence in text
    assert text.startswith(f"{file}: ")
    assert text.count(str(file)) == 1
    assert "\n" not in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it has no cell"),
        (b"{", "not a genotype file, it is not JSON (line 1: "),
        (b'{"schema_version": 1', "not a genotype file, it is not JSON (line 1: "),
        (b"\xff\xfe\x00", "cannot be read (not UTF-8 at byte 0)"),
        (b"[" * 100_000, "not a genotype file, it is not JSON"),
    ],
)
def test_not_json(tmp_path, content, reason):
    file = tmp_path / "genotype.json"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        genotype_files.load(file)
    assert str(error.value).startswith(f"{file}: {reason}")
    for form in ("RUN/genotype.json", "Genotype(normal=[", "docs/own_cell.md"):
        assert form in str(error.value)


def test_no_file(tmp_path):
    for file, reason in (
        (tmp_path / "gone.json", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / ("n" * 3000), "File name too long"),
        (tmp_path / "null\0", "embedded null byte"),
    ):
        with pytest.raises(UserError, match=rf"cannot be read \({reason}\); give RUN/geno"):
            genotype_files.load(file)


@pytest.mark.parametrize(
    "content",
    [
        '{"schema_version": 1, "schema_version": 1, "space": "recurrent", "cell": {}}',
        json.dumps(_recurrent()).replace('"concat"', '"concat": [1], "concat"'),
    ],
)
def test_a_key_that_is_there_twice(tmp_path, content):
    file = tmp_path / "genotype.json"
    file.write_text(content)
    with pytest.raises(UserError, match=r"the key '\w+' is there twice"):
        genotype_files.load(file)


def test_the_advice_about_unknown_fields_works(tmp_path):
    file = tmp_path / "genotype.json"
    document = _convolutional(nodes=4) | {"schema_version": "1", "provenance": None}
    del document["cell"]["nodes"]  # "so take the other out"
    document |= {"schema_version": 1, "provenance": {}}  # "write 1 there", "write {} there"
    file.write_text(json.dumps(document))
    assert genotype_files.load(file).to_dict() == document["cell"]


def test_lists_ranges_and_flat_edges_make_the_same_cell():
    edges = [["skip_connect", 0], ("max_pool_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 2)]
    made = ConvolutionalGenotype(edges, range(2, 4), edges, [2, 3])
    assert made == ConvolutionalGenotype.from_dict(made.to_dict())
    assert made.normal[1] == (("sep_conv_3x3", 0), ("skip_connect", 2)) and hash(made)
    assert made == ConvolutionalGenotype(made.normal, made.normal_concat, edges, (2, 3))
    recurrent = RecurrentGenotype([["tanh", 0], ("relu", 1)], range(1, 3))
    assert recurrent == RecurrentGenotype((("tanh", 0), ("relu", 1)), (1, 2)) and hash(recurrent)
    with pytest.raises(UserError, match="expected a list of node numbers"):
        RecurrentGenotype([["tanh", 0]], range(10**12))


def test_a_kill_while_saving_leaves_the_old_file(tmp_path):
    file = tmp_path / "genotype.json"
    genotype_files.save(file, PUBLISHED["recurrent"]["darts_v1"])
    with pytest.raises(TypeError):
        genotype_files.save(file, PUBLISHED["recurrent"]["darts_v2"], {"not JSON": object()})
    assert genotype_files.load(file) == PUBLISHED["recurrent"]["darts_v1"]
