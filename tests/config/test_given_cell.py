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


@pytest.mark.parametrize("name", ["Genotype", "x" * 5000, "a\0b", "a\nb", "~nobody/x", "/"])
def test_what_is_no_cell_is_one_sentence(name):
    with pytest.raises(UserError) as error:
        find_cell(training("cifar10", name))
    assert "\n" not in str(error.value) and len(str(error.value)) < 600
