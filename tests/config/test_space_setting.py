"""`--space`: the usual one of the data, the cell's, or the one that is asked for."""

import dataclasses

import pytest

from tests.support import toy_space
from tf_darts import api
from tf_darts.cells import genotype_files
from tf_darts.cells.genotype import genotype_class
from tf_darts.config import presets
from tf_darts.config.given_cell import find_cell
from tf_darts.config.presets import configure, configure_texts, preset_for
from tf_darts.errors import UserError
from tf_darts.spaces.convolutional.settings import ConvolutionalTrainingConfig
from tf_darts.study.settings import training_config

toy = toy_space.toy
SEARCH = {"mode": "search", "dataset": "digits"}
TRAIN = {"mode": "train", "dataset": "digits"}


def test_presets_are_layers_of_space_and_data_set(toy):
    made = configure(SEARCH | {"space": "toy", "width": 8})
    assert isinstance(made, toy_space.ToySearchConfig)
    assert (made.space, made.width) == ("toy", 8)
    assert (made.crop_padding, made.flip, made.batch_size) == (1, False, 64)
    assert made.run_dir == "runs/search_digits_toy_darts_seed0"
    assert configure(SEARCH).space == configure(SEARCH | {"space": ""}).space == "convolutional"
    trained = preset_for("train", "digits", "toy")
    assert (trained.epochs, trained.validation_examples, trained.cutout) == (7, 300, 0)
    assert preset_for("train", "mnist", "toy").dataset == "mnist"
    own = toy_space.space(name="toy2", presets={("train", "digits"): {"epochs": 3, "cutout": 5}})
    toy_space.registry._SPACES["toy2"] = own
    assert (preset_for("train", "digits", "toy2").epochs, preset_for("train", "mnist").cutout) == (
        *(3, 16),
    )
    assert "width" in presets.settings()


def test_what_a_resumed_run_shares(toy):
    usual = presets.computed_settings(configure(SEARCH))
    assert "space" not in usual, "runs from before there was the setting go on"
    assert presets.computed_settings(configure(SEARCH | {"space": "toy"}))["space"] == "toy"


def test_a_training_is_of_its_cells_space(toy, tmp_path):
    file = tmp_path / "genotype.json"
    genotype_files.save(file, genotype_class("toy")(toy_space.EDGES))
    made = configure(TRAIN | {"genotype": str(file)})
    assert (made.space, made.epochs, find_cell(made).space) == ("toy", 7, "toy")
    assert isinstance(configure(TRAIN | {"genotype": "darts_v2"}), ConvolutionalTrainingConfig)
    other = configure(TRAIN | {"genotype": str(file), "space": "convolutional"})
    with pytest.raises(
        UserError, match=r"a toy cell, and --space=convolutional trains convol.*toy"
    ):
        find_cell(other)
    texts = configure({"mode": "train", "dataset": "ptb", "genotype": str(file)})
    with pytest.raises(UserError, match=r"a toy cell; --dataset=ptb needs a recurrent one; .*dig"):
        find_cell(texts)


@pytest.mark.parametrize("mode", ["search", "train"])
def test_spaces_that_cannot_be(toy, mode):
    given = {"mode": mode, "dataset": "digits", "genotype": "darts_v2"}
    given = {name: value for name, value in given.items() if mode == "train" or name != "genotype"}
    with pytest.raises(UserError, match=r"--space: unknown space 'toi' \(did you mean toy\?\)"):
        configure(given | {"space": "toi"})
    with pytest.raises(UserError, match=r"recurrent: is for texts, .*=digits is of images; .*toy"):
        configure(given | {"space": "recurrent"})
    with pytest.raises(UserError, match="--space=3: it must be a text"):
        configure(given | {"space": 3})
    with pytest.raises(UserError, match="--space has no meaning for --mode=report"):
        configure({"mode": "report", "run_dir": "here", "space": "toy"})


def test_a_study_decides_the_space_of_its_runs(toy):
    base = {"mode": "search", "dataset": "digits", "space": "toy"}
    assert configure_texts(base, {"width": "9"}, "search_settings").width == 9
    with pytest.raises(UserError, match="space is decided by the study"):
        configure_texts(base, {"space": "toy"}, "search_settings")
    for wrong, sentence in (
        ({"space": "toi"}, r"^--space: unknown space 'toi' \(did you mean toy"),
        ({"space": "recurrent"}, "^--space=recurrent: is for texts"),
        ({"operations": "twice"}, "^--operations=twice: 'twice' is no operation of the space conv"),
    ):
        with pytest.raises(UserError, match=sentence):
            configure({"mode": "select", "dataset": "digits"} | wrong)
    study = configure({"mode": "select", "dataset": "digits", "space": "toy"})
    assert study.space == "toy" and dataclasses.is_dataclass(study)


def test_a_tuning_is_of_its_cells_space(toy, tmp_path):
    file = tmp_path / "genotype.json"
    genotype_files.save(file, genotype_class("toy")(toy_space.EDGES))
    given = {"mode": "tune", "dataset": "digits", "tune": "learning_rate=1:2"}
    assert training_config(configure(given | {"genotype": str(file)})).space == "toy"
    assert training_config(configure(given)).space == "convolutional"
    assert training_config(configure(given | {"space": "toy"})).epochs == 7
    with pytest.raises(UserError, match="--operations has no meaning with --genotype"):
        configure(given | {"genotype": str(file), "operations": "s2"})


def test_a_cell_in_a_program_is_of_its_space(toy, monkeypatch):
    cell = genotype_class("toy")(toy_space.EDGES)
    monkeypatch.setattr(api, "run_training", lambda config, cell, stop, callbacks: (config, cell))
    config, trained = api.train(cell, dataset="digits", epochs=3)
    assert (config.space, config.epochs, trained) == ("toy", 3, cell)
    with pytest.raises(UserError, match="and --space=convolutional trains convolutional ones"):
        api.train(cell, dataset="digits", space="convolutional")
    with pytest.raises(UserError, match="a toy cell; --dataset=ptb needs a recurrent one"):
        api.train(cell, dataset="ptb")
