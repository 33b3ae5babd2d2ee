"""What a run is: as its config.json says, or as runs of commit 517e77a let it be known."""

import contextlib
import dataclasses
import json

import pytest

from tf_darts.cells import genotype_files
from tf_darts.cells.published import PUBLISHED
from tf_darts.config.given_cell import check_space, find_cell
from tf_darts.config.recorded import about, kind_of, space_of, training_class
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.convolutional.settings import ConvolutionalTrainingConfig
from tf_darts.spaces.recurrent.settings import RecurrentTrainingConfig

V2 = PUBLISHED["convolutional"]["darts_v2"]


def made(path, settings, says=None):
    """A run that was closed and is read again."""
    RunDirectory(path, settings, about=says).close()
    run, _ = RunDirectory.read(path)
    run.close()
    return run


def test_a_run_says_its_kind_and_its_space(tmp_path):
    # A data set of texts, by its name: what the run says counts.
    run = made(tmp_path / "a", {"mode": "train", "dataset": "ptb"}, about("train", "convolutional"))
    document = json.loads((run.path / "config.json").read_text())
    assert list(document) == ["tf_darts", "kind", "space", "settings"]
    assert (kind_of(run), space_of(run)) == ("training", "convolutional")
    assert training_class(run) is ConvolutionalTrainingConfig
    assert run.settings == {"mode": "train", "dataset": "ptb"}


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("search", "search"), ("train", "training"), ("tune", "study"), ("random_search", "study")],
)
def test_an_old_run_has_the_kind_of_its_mode(tmp_path, mode, kind):
    assert kind_of(made(tmp_path / "a", {"mode": mode})) == kind


@pytest.mark.parametrize("says", [{"kind": "poem"}, {"kind": ["search"]}, {}])
def test_a_run_of_no_known_kind(tmp_path, says):
    assert kind_of(made(tmp_path / "a", {"mode": "sing"}, says)) is None


def test_the_space_of_an_old_run(tmp_path):
    by_cell = {"mode": "train", "dataset": "ptb", "cell": V2.to_dict()}
    assert space_of(made(tmp_path / "cell", by_cell)) == "convolutional"
    run = made(tmp_path / "search", {"mode": "search", "dataset": "ptb"})
    assert space_of(run) == "recurrent", "its data set's, where there is nothing else"
    genotype_files.save(run.path / "genotype.json", V2)
    assert space_of(run) == "convolutional"
    (run.path / "genotype.json").write_text("{")
    assert space_of(run) == "recurrent"
    run = made(tmp_path / "old", {"mode": "train", "dataset": "text"})
    assert training_class(run) is RecurrentTrainingConfig


@pytest.mark.parametrize("space", ["graph", 3, ["recurrent"], "\n"])
def test_a_space_that_is_not_here(tmp_path, space):
    run = made(tmp_path / "a", {"mode": "train", "dataset": "ptb"}, {"space": space})
    for ask in (space_of, training_class):
        with pytest.raises(UserError, match=r"config\.json: .*unknown space .*recurrent") as caught:
            ask(run)
        assert "\n" not in str(caught.value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphTrainingConfig(TrainingConfig):
    """Of a space without published cells."""

    space: str = "graph"


def test_a_space_without_published_cells():
    config = GraphTrainingConfig(dataset="molecules")
    with pytest.raises(UserError, match=r"no --genotype given; .*genotype\.json of a search\.$"):
        config.validated({}, config)
    given = GraphTrainingConfig(dataset="molecules", genotype="my_cell")
    with pytest.raises(UserError, match="my_cell: no file and no published cell; give RUN"):
        find_cell(given)
    with pytest.raises(
        UserError,
        match="--space=graph trains graph ones; give --space=conv",
    ):
        check_space(given, V2)
    # What only some spaces set has a value in all.
    assert (given.schedule, given.averaging_patience, given.train_on_all) == ("constant", 0, False)


def test_a_directory_says_what_another_process_may_not_hold(tmp_path):
    with contextlib.closing(RunDirectory(tmp_path, {"mode": "search"}, about={"kind": "x"})) as run:
        assert run.about["kind"] == "x" and run.settings == {"mode": "search"}
