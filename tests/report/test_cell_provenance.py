import dataclasses
import shutil

import pytest

from tf_darts.errors import UserError
from tf_darts.report.entries import TRAINED, distinct, group, independent_draws
from tf_darts.report.read_runs import read_entries


def test_a_training_knows_the_search_that_found_its_cell(runs):
    search = runs.search("search_a", hypergradient="exact", units=16)
    path = runs.train("train_a", given=search / "genotype.json", seed=1, test=138.0)
    (entry,) = read_entries([str(path)])
    assert (entry.scored_by, entry.method, entry.value, entry.test) == (
        TRAINED,
        "darts_exact",
        140.0,
        138.0,
    )
    assert (entry.search_seconds, entry.training_seconds) == (7200.0, 3600.0)
    assert entry.counts["weights"] == 4_810_000
    assert (entry.settings["units"], entry.settings["search.units"]) == (8, 16)
    assert "search.units" not in entry.training_settings
    assert entry.animation == search / "plots" / "cell.gif"


FOUND = {
    "mode": "search",
    "method": "exact",
    "hypergradient": "exact",
    "optimization": "bilevel",
    "seed": 4,
    "search_seconds": 600.0,
    "replicas": 2,
    "settings": {"mode": "search", "seed": 4, "hypergradient": "exact", "units": 16},
}


def test_a_training_whose_search_is_gone_is_still_of_its_method(runs, tmp_path):
    search = runs.search("search_a", hypergradient="first_order", units=32)
    path = runs.train("train_a", given=search / "genotype.json", found=FOUND)
    (entry,) = read_entries([str(path)])
    # What the cell says counts, not what the search's directory has become.
    assert (entry.method, entry.search_seconds) == ("darts_exact", 1200.0)
    assert entry.settings["search.units"] == 16 and entry.settings["units"] == 8
    assert "search.seed" not in entry.settings and "search.mode" not in entry.settings
    assert entry.animation == search / "plots" / "cell.gif"
    search.rename(tmp_path / "elsewhere")
    (moved,) = read_entries([str(path)])
    assert moved == dataclasses.replace(entry, animation=None)


def found_by(seed):
    return FOUND | {"seed": seed}


def test_searches_that_found_one_cell_are_results_each(runs):
    """Two searches that collapsed to one cell, trained with the default seed."""
    paths = [
        runs.train(name, given=f"search_{name}/genotype.json", found=found_by(seed))
        for name, seed in (("a", 0), ("b", 1), ("again", 1))
    ]
    entries = read_entries(map(str, paths))
    assert len({str(entry.cell) for entry in entries}) == 1
    kept, repeated = distinct(entries)
    assert (kept, repeated) == (entries[:2], [(entries[2], entries[1])])
    (one,) = group(kept)
    assert one.label == "darts_exact" and len(independent_draws(one.entries)) == 2


def test_searches_of_before_methods_were_recorded_have_seeds_too(runs, rewrite):
    paths = []
    for seed in (0, 1):
        search = runs.search(f"search_{seed}", seed=seed)
        if seed:  # both found one cell
            shutil.copy(paths[0].parent / "search_0" / "genotype.json", search)
        paths.append(runs.train(f"train_{seed}", given=search / "genotype.json"))
    entries = read_entries(map(str, paths))
    assert [entry.search_seed for entry in entries] == [0, 1] and distinct(entries)[1] == []


def test_two_spellings_of_a_file_are_one_cell(runs, tmp_path):
    search = runs.search("search")
    spellings = [search / "genotype.json", f"{tmp_path}/./search/../search/genotype.json"]
    paths = [
        runs.train(f"train_{seed}", seed=seed, given=given, found=found_by(0))
        for seed, given in enumerate(spellings)
    ]
    other = runs.train("other", seed=2, given="elsewhere/genotype.json", found=found_by(1))
    entries = read_entries(map(str, [*paths, other]))
    assert entries[0].cell_id == entries[1].cell_id and entries[0].animation
    assert {made.label: len(made.entries) for made in group(entries)} == {
        f"darts_exact ({spellings[0]})": 2,
        "darts_exact (elsewhere/genotype.json)": 1,
    }


def test_a_file_that_was_written_over_is_another_cell(runs):
    search = runs.search("search")
    first = runs.train("train_a", given=search / "genotype.json", found=found_by(0))
    old = runs.train("train_old", given=search / "genotype.json")
    shutil.rmtree(search)
    runs.search("search", seed=3)
    second = runs.train("train_b", given=search / "genotype.json", found=found_by(3))
    ours, theirs, unknown = read_entries(map(str, [first, second, old]))
    assert ours.cell_id != theirs.cell_id and ours.cell_label == theirs.cell_label
    assert (ours.animation, theirs.animation) == (None, search / "plots" / "cell.gif")
    assert (unknown.method, unknown.animation, unknown.search_seconds) == ("given", None, None)


def test_an_earlier_cell_of_a_search_is_not_counted_with_its_last(runs):
    early = runs.train("train_a", given="cell_01234567", found=FOUND | {"of_epoch": 3})
    last = runs.train("train_b", given="cell_89abcdef", found=FOUND | {"seed": 5})
    groups = group(read_entries([str(early), str(last)]))
    assert {made.label for made in groups} == {"darts_exact (epoch 3)", "darts_exact"}


@pytest.mark.parametrize("given", ["cell_01234567", "darts_v2"])
def test_a_training_of_a_found_cell_in_memory(runs, given, monkeypatch):
    (runs.directory / "plots").mkdir()
    (runs.directory / "plots" / "cell.gif").write_bytes(b"GIF89a")
    monkeypatch.chdir(runs.directory)  # a picture that is no search's
    (entry,) = read_entries([str(runs.train("train_a", given=given, found=FOUND))])
    assert (entry.method, entry.cell_label, entry.animation) == ("darts_exact", given, None)


def test_a_training_of_a_candidate_s_cell(runs):
    path = runs.train("train_a", given="STUDY/genotype.json", found={"method": "random", "seed": 1})
    (entry,) = read_entries([str(path)])
    assert (entry.method, entry.search_seconds) == ("random", None)
    old = runs.train("train_b", given="STUDY/genotype.json", found={"source": "random"})
    assert read_entries([str(old)])[0].method == "random"


@pytest.mark.parametrize("change", [{"settings": 3}, {"search_seconds": None}, {"replicas": "2"}])
def test_a_provenance_that_is_no_search_s(runs, change):
    path = runs.train("train_a", found=FOUND | change)
    with pytest.raises(UserError, match=r"genotype\.json: .*its provenance is no search's"):
        read_entries([str(path)])


def test_a_training_of_another_cell(runs, tmp_path):
    published, gone = runs.train("a"), runs.train("b", given=tmp_path / "gone" / "genotype.json")
    ours, theirs = read_entries([str(published), str(gone)])
    assert (ours.method, theirs.method) == ("darts_v2", "given")
    assert ours.search_seconds is theirs.search_seconds is None


def test_the_data_set_of_a_search_tells_its_cells_apart(runs):
    def train(name, dataset, seed):
        provenance = FOUND | {"settings": FOUND["settings"] | {"dataset": dataset}}
        return str(runs.train(name, seed=seed, found=provenance))

    groups = group(read_entries([train("a", "ptb", 0), train("b", "wikitext2", 1)]))
    assert [made.label for made in groups] == [
        "darts_exact, search.dataset=ptb",
        "darts_exact, search.dataset=wikitext2",
    ]
