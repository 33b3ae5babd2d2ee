"""Old names of settings: read, said, and gone from what is computed."""

import pytest

from tf_darts.config.presets import configure, configure_texts, settings
from tf_darts.errors import UserError
from tf_darts.runtime.renamed_settings import RENAMED, RENAMED_VALUES, rename_settings
from tf_darts.runtime.run_directory import RunDirectory

TRAIN = {"mode": "train", "dataset": "ptb", "genotype": "darts_v2"}
SEARCH = {"mode": "search", "dataset": "ptb"}
IMAGES = {"mode": "train", "dataset": "cifar10", "genotype": "darts_v2"}


def test_every_new_name_is_a_setting_and_no_old_one_is():
    assert set(RENAMED.values()) <= settings().keys()
    assert not RENAMED.keys() & settings().keys()
    for (name, old), new in RENAMED_VALUES.items():
        with pytest.raises(UserError, match=f"--{name}={old}x"):
            configure({"mode": "search", "dataset": "pydoc", name: f"{old}x"})
        made = configure({"mode": "search", "dataset": "pydoc", name: new})
        assert getattr(made, name) == new


@pytest.mark.parametrize(
    ("asked", "old", "new"),
    [
        (TRAIN, {"slowness": 0.5}, {"temporal_activation_penalty": 0.5}),
        (TRAIN, {"activation": 2.0}, {"activation_penalty": 2.0}),
        (IMAGES, {"final": True}, {"train_on_all": True}),
        (
            {"mode": "train", "dataset": "folder", "genotype": "darts_v2", "image_size": 8},
            {"random_resized_crop": True},
            {"stream_images": True, "random_resized_crop": True},
        ),
        ({"dataset": "pydoc", "trials": 3}, {"mode": "random_search"}, {"mode": "black_box"}),
        (SEARCH, {"optimization": "bilevel"}, {"method": "darts"}),
        (SEARCH, {"optimization": "joint_alternating"}, {"method": "joint_alternating"}),
    ],
)
def test_an_old_name_is_read_and_one_line_says_the_new_one(asked, old, new, capsys):
    assert configure(asked | old) == configure(asked | new)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"--{next(iter(new))}" in said
    configure(asked | new)
    assert capsys.readouterr().err == ""


def test_both_names_at_once_are_refused():
    with pytest.raises(UserError, match=r"--final is --train_on_all now.*leave --final out"):
        configure(IMAGES | {"final": True, "train_on_all": True})


def test_the_settings_of_candidates_too(capsys):
    base = {"mode": "train", "dataset": "ptb", "data_dir": "", "genotype": "darts_v2"}
    config = configure_texts(base, {"slowness": "0.5"}, "train_settings")
    assert config.temporal_activation_penalty == 0.5
    assert "--train_settings: slowness is temporal_activation_penalty now" in (
        capsys.readouterr().err
    )


def test_a_run_that_was_begun_with_old_names_goes_on(tmp_path, capsys):
    old = {"mode": "train", "final": False, "slowness": 1e-3, "random_resized_crop": True}
    RunDirectory(tmp_path, old).close()
    run = RunDirectory(tmp_path, rename_settings(old))
    assert run.resumed and "stream_images" in rename_settings(old)
    run.close()
    run, recorded = RunDirectory.read(tmp_path)
    run.close()
    assert recorded == rename_settings(old)
    assert capsys.readouterr().err == ""


def test_a_study_in_the_old_mode_s_directory_goes_on_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {"mode": "black_box", "dataset": "pydoc"}
    assert configure(asked).run_dir == "runs/black_box_pydoc_random_seed0"
    (tmp_path / "runs" / "random_search_pydoc_random_seed0").mkdir(parents=True)
    assert configure(asked).run_dir == "runs/random_search_pydoc_random_seed0"
