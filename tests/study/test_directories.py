"""Studies in directories of any name, and two at once in one."""

import pytest

from tests.support.toy_study import BLACK_BOX, SELECTION
from tf_darts.errors import UserError
from tf_darts.report.read_runs import read_entries
from tf_darts.runtime.run_directory import RunDirectory

NAMES = ["exp[lr=0.025] a*b", "a\\b?", "[0-9]", "{x}~#é"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("study", [SELECTION, BLACK_BOX], ids=["selection", "black box"])
def test_a_directory_of_any_name(toy, tmp_path, name, study):
    whole = toy.run(tmp_path / name / name, **study)
    assert toy.run(tmp_path / name / name, **study) == whole and toy.evaluated == []
    assert [entry.name for entry in read_entries([str(tmp_path / name / name)])] == [
        f"{name}/{row['name']}" for row in whole["candidates"]
    ]


def test_one_process_at_a_study(toy, tmp_path):
    toy.run(tmp_path, **SELECTION)
    other, _ = RunDirectory.open(tmp_path)
    with pytest.raises(UserError, match="another process is running there; wait for it"):
        toy.run(tmp_path, **SELECTION)
    other.close()
    toy.run(tmp_path, **SELECTION)  # as the sentence advises


def test_files_that_others_left_are_no_candidates(toy, tmp_path):
    whole = toy.run(tmp_path, **SELECTION)
    (tmp_path / "candidates" / ".DS_Store").touch()
    (tmp_path / "candidates" / "notes").mkdir()
    assert toy.run(tmp_path, **SELECTION) == whole


def test_another_candidate_in_its_folder_is_noticed(toy, tmp_path):
    """Where keras-tuner's folder is gone and what it proposed was not what it would propose now."""
    whole = toy.run(tmp_path, **BLACK_BOX | {"seed": 7})
    (tmp_path / "tuner").rename(tmp_path / "away")
    (tmp_path / "config.json").unlink()
    for file in [*tmp_path.glob("*.*"), tmp_path / "away", tmp_path / "plots"]:
        file.rename(tmp_path.with_name(f"{tmp_path.name}_{file.name}"))
    candidates = tmp_path.with_name(f"{tmp_path.name}_candidates")
    (tmp_path / "candidates").rename(candidates)
    toy.answers["trial_0"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        toy.run(tmp_path, **BLACK_BOX)
    toy.answers.clear()
    candidates.rename(tmp_path / "candidates")
    with pytest.raises(UserError, match="trial_0: holds the result of another candidate") as told:
        toy.run(tmp_path, **BLACK_BOX)
    assert "move this folder away" in str(told.value)
    for row in whole["candidates"]:
        folder = tmp_path / "candidates" / row["name"]
        folder.rename(candidates.with_name(f"{candidates.name}_{row['name']}"))
    assert len(toy.run(tmp_path, **BLACK_BOX)["candidates"]) == 4
