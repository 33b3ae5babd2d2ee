"""Where the candidates of a selection come from."""

import pytest

from tf_darts.cells import genotype_files
from tf_darts.cells.published import PUBLISHED
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.study.candidates import select_candidates
from tf_darts.study.settings import training_config


def candidates(**settings):
    config = configure({"mode": "select", "dataset": "pydoc", **settings})
    return select_candidates(config, training_config(config))


def test_seeds_of_every_source():
    found = candidates(
        candidates="search,first_order,random,joint_alternating,joint_simultaneous,enas",
        count=2,
        seed=5,
    )
    assert [c.name for c in found[:4]] == [
        "search_seed5",
        "search_seed6",
        "first_order_seed5",
        "first_order_seed6",
    ]
    by_name = {c.name: c for c in found}
    assert len(by_name) == 11
    assert by_name["search_seed6"].search.hypergradient == "finite_difference"
    assert by_name["search_seed6"].search.seed == 6
    assert by_name["first_order_seed5"].search.hypergradient == "first_order"
    assert by_name["joint_alternating_seed5"].search.optimization == "joint_alternating"
    assert by_name["random_seed5"].cell != by_name["random_seed6"].cell
    assert by_name["enas"].cell == PUBLISHED["recurrent"]["enas"]
    assert {c.training.seed for c in found} == {5}, "all are trained with the same draws"


def test_directories_are_the_candidates_own(tmp_path):
    candidate = candidates(count=1)[0].in_directory(tmp_path / "a")
    assert candidate.search.run_dir == str(tmp_path / "a" / "search")
    assert candidate.training.run_dir == str(tmp_path / "a" / "train")


def test_a_file_is_named_by_its_run(tmp_path):
    run = tmp_path / "my run"
    run.mkdir()
    genotype_files.save(run / "genotype.json", PUBLISHED["recurrent"]["darts_v1"])
    found = candidates(candidates=f"{run / 'genotype.json'},darts_v1")
    assert [c.name for c in found] == ["my_run_genotype", "darts_v1"]
    assert found[0].source == "given"


def test_a_cell_says_what_found_it(tmp_path):
    (random,) = candidates(candidates="random", count=1, seed=5)
    assert random.with_provenance(random.cell).provenance == {"method": "random", "seed": 5}
    file, known = tmp_path / "genotype.json", {"method": "exact", "seed": 7, "search_seconds": 2.5}
    genotype_files.save(file, PUBLISHED["recurrent"]["darts_v1"], known)
    (given,) = candidates(candidates=str(file))
    assert given.with_provenance(given.cell).provenance == known, "what it says itself counts"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"candidates": " , "}, "--candidates is empty"),
        ({"candidates": "serch"}, r"serch is not known \(did you mean search\?\); docs/studies"),
        ({"candidates": "frist_order"}, "did you mean first_order"),
        ({"candidates": "frist_order", "search_settings": "units=3"}, "did you mean first_order"),
        ({"candidates": "frist_order", "snapshots": 2}, "did you mean first_order"),
        ({"candidates": "darts_v3"}, "did you mean darts_v2 or darts_v1"),
        ({"candidates": "a_b_c_d"}, "a_b_c_d is none of search, .* random, and no cell: --genoty"),
        ({"candidates": "nasnet"}, "nasnet is none of"),
        ({"candidates": "random,random"}, "random_seed.* is there twice"),
        (
            {"candidates": "random", "search_settings": "units=3"},
            "--search_settings has no meaning",
        ),
        ({"candidates": "random", "snapshots": 2}, "--snapshots has no meaning"),
        ({"candidates": "darts_v2", "count": 7}, "--count has no meaning"),
    ],
)
def test_candidates_that_cannot_be(settings, words):
    with pytest.raises(UserError, match=words):
        candidates(**settings)
