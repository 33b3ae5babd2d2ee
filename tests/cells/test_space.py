"""Spaces by name, and genotypes of a space that has no class of its own."""

import copy
import dataclasses
import json
import pickle
import subprocess
import sys

import pytest

from tests.support import toy_space
from tf_darts.cells import genotype_files, space
from tf_darts.cells.genotype import SPACES, Genotype, genotype_class
from tf_darts.cells.published import PUBLISHED, published_cells
from tf_darts.cells.space import find_space, register_space, spaces
from tf_darts.cells.topology import CellTopology
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.report.drawing.cell_drawing import draw_genotype
from tf_darts.report.drawing.cell_graph import cells_of
from tf_darts.spaces.convolutional.published import CELLS as CONVOLUTIONAL_CELLS
from tf_darts.spaces.convolutional.space import CONVOLUTIONAL
from tf_darts.spaces.recurrent.published import CELLS as RECURRENT_CELLS
from tf_darts.spaces.recurrent.space import RECURRENT

EDGES, toy = toy_space.EDGES, toy_space.toy


def test_ours_are_found_by_their_folders():
    assert list(spaces()) == ["convolutional", "recurrent", "nasbench201", "planted", "s4_mini"]
    assert (find_space("convolutional"), find_space("recurrent")) == (CONVOLUTIONAL, RECURRENT)
    assert RECURRENT.topologies["cell"].keep == 1
    for name, cells in (("convolutional", CONVOLUTIONAL_CELLS), ("recurrent", RECURRENT_CELLS)):
        assert {key: cell.to_dict() for key, cell in PUBLISHED[name].items()} == cells


def test_no_space_needs_tensorflow():
    program = "import sys, tf_darts.config.presets; from tf_darts import PUBLISHED; len(PUBLISHED)"
    program += "; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_names_that_are_taken_or_unknown(toy):
    assert find_space("toy") is toy
    with pytest.raises(UserError, match="there is a space 'toy' already"):
        register_space(toy_space.space())
    with pytest.raises(UserError, match="'graph' is for 'molecules'; data are images or texts"):
        register_space(toy_space.space(name="graph", data="molecules"))
    with pytest.raises(UserError, match=r"'recurent' \(did you mean recurrent\?\); known: convol"):
        find_space("recurent")


def test_settings_that_cannot_be_flags(toy):
    plain = dataclasses.make_dataclass("Plain", [("size", int, 3)], frozen=True)
    other = dataclasses.make_dataclass("Other", [("channels", str, setting("a", "b"))], frozen=True)
    for wrong, sentence in (
        (plain(), r"Plain\.size is no setting; write size: TYPE = setting\(DEFAULT, HELP\)"),
        (
            other(),
            r"Other\.channels has the type str, and elsewhere the setting is of int; give it",
        ),
        (toy_space.ToySearchConfig, "ToySearchConfig'> is no configuration; make one of a class"),
    ):
        with pytest.raises(UserError, match=sentence):
            register_space(toy_space.space(name="toy2", search=wrong))
    assert "toy2" not in spaces()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": 5}, "5 is no name; give letters, digits and _"),
        ({"name": "my/space"}, "'my/space' is no name"),
        ({"name": ""}, "'' is no name"),
        ({"graphs": {}}, "'toy2' has no graphs; give one for each kind of cell"),
        ({"graphs": {"cell": toy_space.topology()}}, "graph of 'cell' is a CellTopology; give a f"),
        ({"graphs": {"cell": dict}}, "the graph of 'cell' is a dict; return a CellTopology"),
    ],
)
def test_names_and_graphs_that_cannot_be(toy, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        register_space(toy_space.space(**{"name": "toy2"} | changes))
    assert "toy2" not in spaces()


def test_presets_that_cannot_be(toy):
    for presets, sentence in (
        ({("train", "digits"): {"epoch": 3}}, r"with 'epoch', .* settings \(did you mean epochs"),
        (
            {("select", "digits"): {}},
            r"presets for \('select', 'digits'\); the modes are search, tra",
        ),
    ):
        with pytest.raises(UserError, match=sentence):
            register_space(toy_space.space(name="toy2", presets=presets))


def test_a_genotype_of_the_space(toy, tmp_path):
    kind = genotype_class("toy")
    cell = kind(EDGES)
    assert kind is SPACES["toy"] and kind.__name__ == "ToyGenotype" and isinstance(cell, Genotype)
    assert cell.cells["cell"].nodes[1] == (("none", 0), ("twice", 1))
    assert cell.cells["cell"].concat == (3,)
    assert str(cell) == "skip:0 | none:0 twice:1 | skip:0 none:1 twice:2"
    assert cell.to_dict() == {"cell": EDGES} and kind.from_dict({"cell": EDGES}) == cell
    assert kind.from_cells({"cell": cell.cells["cell"].nodes}) == cell == kind(cell=EDGES)
    assert pickle.loads(pickle.dumps(cell)) == cell == copy.deepcopy(cell) and hash(cell)
    genotype_files.save(tmp_path / "genotype.json", cell, {"seed": 1})
    assert json.loads((tmp_path / "genotype.json").read_text())["schema_version"] == 1
    assert genotype_files.load(tmp_path / "genotype.json") == cell
    assert genotype_files.of_fields({"cell": EDGES}) == cell
    assert published_cells("toy") == {} and "toy" not in PUBLISHED


def test_published_cells_are_data(toy, monkeypatch):
    monkeypatch.delitem(space._SPACES, "toy")
    register_space(toy_space.space(name="toy2", published={"mine": {"cell": EDGES}}))
    assert PUBLISHED["toy2"]["mine"].to_dict() == {"cell": EDGES}


@pytest.mark.parametrize(
    ("edges", "sentence"),
    [
        (EDGES[:-1], "cell cell, node 3: needs 3 edges, has 2."),
        ([["skip", 0], ["skip", 0], ["skip", 0]], "come from [0, 0]; it needs one from each of 0"),
        ([["thrice", 0]], "unknown operation 'thrice'; use one of none, skip, twice."),
        ([], "it has no nodes"),
    ],
)
def test_cells_that_the_space_has_not(toy, edges, sentence):
    with pytest.raises(UserError) as error:
        genotype_class("toy")(edges)
    assert sentence in str(error.value)


def test_fields_that_it_has_not(toy):
    for values, named in (((EDGES, [3]), {}), ((EDGES,), {"cell": EDGES}), ((), {"edges": EDGES})):
        with pytest.raises(TypeError, match="ToyGenotype takes the fields cell"):
            genotype_class("toy")(*values, **named)


def test_its_drawing(toy):
    cell = genotype_class("toy")(EDGES)
    (drawn,) = cells_of(cell)
    assert drawn.nodes == (("input", "in 0"), *(("node", str(i)) for i in range(3)), drawn.nodes[4])
    assert [(a.source, a.target, a.label) for a in drawn.arrows] == [
        *[(0, 1, "skip"), (1, 2, "twice"), (0, 3, "skip"), (2, 3, "twice"), (3, 4, "")]
    ]
    draw_genotype(cell, "toy")
    nothing = [[name, source] for (_, source), name in zip(EDGES, ["none"] * 6, strict=True)]
    draw_genotype(genotype_class("toy")(nothing))


def test_fields_that_another_space_has_too(toy, monkeypatch):
    """A cell of one's own whose kinds are called as the convolutional ones are."""
    monkeypatch.delitem(space._SPACES, "toy")
    topology = CellTopology(2, 1, 2, ("twice", "identity"))
    own = {kind: lambda: topology for kind in ("normal", "reduce")}
    register_space(toy_space.space(name="toy2", graphs=own))
    edges = [["twice", 0], ["identity", 1]]
    cell = {name: edges for name in own} | {f"{name}_concat": [2] for name in own}
    read = genotype_files.parse(json.dumps(cell), space="toy2")
    assert read.space == "toy2" and read.to_dict() == cell
    with pytest.raises(UserError, match="unknown operation 'twice'"):
        genotype_files.parse(json.dumps(cell))
