"""What `--genotype` may be, and for which data."""

import dataclasses

import pytest

from tf_darts.cells import genotype_files
from tf_darts.cells.published import PUBLISHED
from tf_darts.config import presets as config
from tf_darts.config.given_cell import find_cell
from tf_darts.errors import UserError


def training(dataset, cell):
    return dataclasses.replace(config.PRESETS["train", dataset], genotype=str(cell))


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("ptb", "darts_v1"), ("ptb", "enas"), ("cifar10", "darts_v1"), ("cifar10", "amoebanet")],
)
def test_published_cells_are_of_the_data_sets_space(dataset, name):
    space = "recurrent" if dataset == "ptb" else "convolutional"
    assert find_cell(training(dataset, name)) == PUBLISHED[space][name]


def test_a_file(tmp_path):
    cell = PUBLISHED["convolutional"]["nasnet"]
    genotype_files.save(tmp_path / "genotype.json", cell)
    assert find_cell(training("digits", tmp_path / "genotype.json")) == cell


def test_a_cell_of_the_other_space_names_the_right_data_sets(tmp_path):
    genotype_files.save(tmp_path / "cell.json", PUBLISHED["recurrent"]["enas"])
    for name in ("enas", tmp_path / "cell.json"):
        with pytest.raises(UserError) as error:
            find_cell(training("cifar10", name))
        assert "a recurrent cell; --dataset=cifar10 needs a convolutional one" in str(error.value)
        assert str(error.value).endswith("it goes with --dataset=ptb|wikitext2|pydoc|text.")
    with pytest.raises(UserError, match=r"goes with --dataset=cifar10\|digits\|planted\|folder"):
        find_cell(training("ptb", "nasnet"))


def test_neither_a_name_nor_a_file(tmp_path):
    with pytest.raises(UserError, match=r"no file and no published cell; .* darts_v1, darts_v2"):
        find_cell(training("ptb", "dart_v2"))
    with pytest.raises(UserError, match=r"none.json: cannot be read \(No such file"):
        find_cell(training("ptb", tmp_path / "none.json"))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match="not a genotype file, it is not JSON"):
        find_cell(training("ptb", tmp_path / "broken.json"))


TEXTS = {
    "convolutional": "Genotype(normal=[('max_pool_3x3', 0), ...], normal_concat=range(2, 6),"
    " reduce=[...], reduce_concat=range(2, 6))",
    "recurrent": "Genotype(recurrent=[('tanh', 0), ...], concat=range(1, 9))",
    "nasbench201": "Genotype(nasbench201=[('skip_connect', 0), ...])",
    "planted": "Genotype(planted=[('taps_1', 0), ...])",
    "s4_mini": "Genotype(cell=[('noise', 0), ...], cell_concat=range(2, 4))",
}


@pytest.mark.parametrize("space", TEXTS)
@pytest.mark.parametrize("given", ["dart_v2", "none.json", "{", "x = 1", "Genotype(", "[]", "{}"])
def test_what_is_no_cell_is_told_the_form_of_the_space_in_question(space, given, tmp_path):
    """Wherever a sentence shows a cell, it is one that the training would take."""
    file = tmp_path / "cell.txt"
    if given not in ("dart_v2", "none.json"):
        file.write_text(given)
        given = file
    dataset = {"recurrent": "ptb", "planted": "planted"}.get(space, "cifar10")
    asked = {"mode": "train", "dataset": dataset, "space": space, "genotype": str(given)}
    with pytest.raises(UserError) as error:
        find_cell(config.configure(asked))
    assert f"the text {TEXTS[space]}; docs/own_cell.md shows" in str(error.value)
    if given == file and file.read_text() == "{}":
        fields = ", ".join(next(iter(PUBLISHED[space].values())).to_dict())
        assert f"a cell has the fields {fields}, and these are none;" in str(error.value)


@pytest.mark.parametrize("space", TEXTS)
def test_a_text_of_the_form_that_is_shown_is_read(space):
    cell = next(iter(PUBLISHED[space].values()))
    fields = ", ".join(f"{name}={value}" for name, value in cell.to_dict().items())
    shown = [part.partition("=")[0] for part in TEXTS[space][9:].split(", ") if "=" in part]
    assert shown == [*cell.to_dict()]
    assert genotype_files.parse(f"Genotype({fields})") == cell


def test_where_the_space_is_not_known_both_usual_ones_are_shown(tmp_path):
    with pytest.raises(UserError) as error:
        genotype_files.load(tmp_path / "none.json")
    both = (
        "Genotype(normal=[('max_pool_3x3', 0), ...], ...) or Genotype(recurrent=[('tanh', 0), ..."
    )
    assert f"the text {both}], ...); docs/own_cell.md shows all forms." in str(error.value)


@pytest.mark.parametrize("name", ["Genotype", "x" * 5000, "a\0b", "a\nb", "~nobody/x", "/"])
def test_what_is_no_cell_is_one_sentence(name):
    with pytest.raises(UserError) as error:
        find_cell(training("cifar10", name))
    assert "\n" not in str(error.value) and len(str(error.value)) < 600
