import dataclasses
import re

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata

from tf_darts.errors import UserError
from tf_darts.report.hparams import write_sessions
from tf_darts.report.read_runs import read_entries
from tf_darts.report.report_plots import cost_plot, overlaid_curves
from tf_darts.report.summary_report import write_report

SCORES = {"exact": [130.0, 132.0], "random": [140.0, 141.0, 143.0]}


def report(directory, *paths, reference="random"):
    file = write_report([str(path) for path in paths], str(directory), reference)
    return file.read_text(encoding="utf-8")


def test_a_mix_of_runs(runs, tmp_path):
    search = runs.search("search_a")
    paths = [
        runs.study("study", SCORES, failed=["first_order"]),
        search,
        runs.train("train_a", given=search / "genotype.json", test=138.5),
        runs.train("train_b", given="enas"),
    ]
    directory = tmp_path / "report"
    text = report(directory, *paths)
    assert "| darts_exact | 2 | 131.00 ± 1.41 | 130.00 |" in text
    assert "| 2 and 3 | -10.33 |" in text
    assert "Not compared" in text and "enas (n = 1)" in text
    assert "138.50" in text and "It diverged \\| at step 3." in text
    assert "supernet's own score" in text
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert {"plots/ptb_trained_cost.png", "plots/ptb_trained_curves.png"} <= set(pictures)
    assert "plots/ptb_trained_cell_study_exact_seed0.gif" in pictures
    there = {p.relative_to(directory).as_posix() for p in (directory / "plots").iterdir()}
    assert set(pictures) == there


def pictures_of(directory, text):
    """The pictures that a report shows, each of which there must be once."""
    shown = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(shown) == len(set(shown)) == len(list((directory / "plots").iterdir()))
    return shown


def test_names_that_are_alike_as_files_have_pictures_each(runs, tmp_path):
    names = ("a b", "a_b", "A_b")
    paths = [runs.train(name, given=f"cell_{i}", found=found(i)) for i, name in enumerate(names)]
    text = report(tmp_path / "report", *paths)
    shown = pictures_of(tmp_path / "report", text)
    cells = [file for file in shown if "_cell_" in file]
    assert sorted(cells) == [f"plots/ptb_trained_cell_{n}.png" for n in ("A_b_3", "a_b", "a_b_2")]
    paths = [runs.train(f"d{i}", dataset=name) for i, name in enumerate(("own/x", "own_x"))]
    pictures_of(tmp_path / "sets", report(tmp_path / "sets", *paths))


def found(seed):
    """The provenance of a cell whose method has a name of its own, so that it is a group."""
    return {"method": f"method_{seed}", "seed": seed}


def test_sections_of_one_data_set_have_pictures_each(runs, tmp_path, rewrite):
    paths = [runs.train(text, text=text) for text in ("one", "another")]
    paths += [runs.train("unknown"), runs.study("study", {"random": [130.0, 131.0]})]
    rewrite(
        paths[3] / "ranking.json",
        lambda ranking: ranking.update(score="accuracy", score_mode="max"),
    )
    shown = pictures_of(tmp_path / "report", report(tmp_path / "report", *paths))
    rankings = {file for file in shown if file.endswith("ranking.png")}
    assert len(rankings) == 4
    assert {"plots/ptb_accuracy_trained_ranking.png"} < rankings
    assert {"plots/ptb_perplexity_not_recorded_trained_ranking.png"} < rankings


def test_other_scores_have_a_section_each(runs, tmp_path):
    paths = [runs.train("a"), runs.train("b", dataset="wikitext2")]
    text = report(tmp_path / "report", *paths)
    assert text.count("(lower is better)") == 2
    assert "## ptb: perplexity" in text and "## wikitext2: perplexity" in text
    # Published cells have no snapshots, and there are no random ones: said once each.
    assert text.count("No such plot") == text.count("Nothing to compare with") == 2


def test_other_data_of_one_name_have_a_section_each(runs, tmp_path):
    """Two texts by `--dataset=text --data_dir=…`: what they share is the name alone."""
    texts = {"a": "one", "b": "one", "c": "another", "d": "another"}
    paths = [runs.train(n, seed=i % 2, text=text) for i, (n, text) in enumerate(texts.items())]
    text = report(tmp_path / "report", *paths)
    assert text.count("### Cells trained from scratch, data ") == 2
    assert text.count("| darts_v2 | 2 | 140.00 ± 0.00 | 140.00 |") == 2
    assert text.count("(4,000 in the training part); others of the name ptb learnt from") == 2
    assert "before runs kept a fingerprint" not in text
    columns = [shown for shown, _, _ in sessions(tmp_path / "report" / "tensorboard").values()]
    assert len({shown["data"] for shown in columns}) == 2
    alone = report(tmp_path / "alone", *paths[:2])
    assert "### Cells trained from scratch\n" in alone and "learnt from" not in alone
    assert "| darts_v2 | 2 |" in alone


def test_runs_of_before_fingerprints_are_still_counted_together(runs, tmp_path):
    paths = [runs.train(name, seed=seed) for seed, name in enumerate("ab")]
    text = report(tmp_path / "report", *paths)
    assert "| darts_v2 | 2 |" in text and "Of these runs 2 are from before" in text
    text = report(tmp_path / "mixed", *paths, runs.train("c", seed=2, text="one"))
    assert "| darts_v2 | 2 |" in text and "| darts_v2 | 1 |" in text
    assert "trained from scratch, data not recorded\n" in text
    assert "The data are taken for the same in all of them, and for others than" in text


def test_a_study_in_which_all_failed(runs, tmp_path):
    text = report(tmp_path / "report", runs.study("study", {}, failed=["random"]))
    assert "No candidate completed." in text and "| failed | study/random_seed99 |" in text


def test_a_report_replaces_a_report_and_nothing_else(runs, tmp_path):
    directory = tmp_path / "report"
    first, second = runs.train("a"), runs.search("b")
    report(directory, first)
    old = set(directory.rglob("*"))
    (directory / "notes.txt").write_text("mine")
    text = report(directory, second)
    assert "train" not in {p.name for p in directory.rglob("*")} and "search" in text
    assert not {p for p in old if p.suffix == ".png"} & set(directory.rglob("*"))
    assert (directory / "notes.txt").read_text() == "mine"
    for other in (first, tmp_path):
        before = set(other.rglob("*"))
        with pytest.raises(UserError, match="holds files that are no report"):
            report(other, second)
        assert set(other.rglob("*")) == before
    with pytest.raises(UserError, match="is a file"):
        report(directory / "notes.txt", second)


def test_an_error_leaves_the_older_report(runs, tmp_path):
    directory = tmp_path / "report"
    text = report(directory, runs.train("a"))
    with pytest.raises(UserError, match="has no run in it"):
        report(directory, tmp_path / "nothing")
    with pytest.raises(UserError, match=r"--reference=exacd: no such source.*use one of darts_v2"):
        report(directory, tmp_path / "a", reference="exacd")
    with pytest.raises(UserError, match="no candidates there; nothing to report"):
        report(directory, runs.study("study", {}))
    assert (directory / "report.md").read_text() == text


def test_search_cost_has_a_line_a_seed_and_the_reference(runs):
    entries = read_entries([str(runs.study("study", SCORES))])
    (axes,) = cost_plot(entries, SCORES["random"], "random").axes
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in lines] == [[1.0, 2.0, 3.0]] * 2
    assert list(lines[0].get_ydata()) == [150.0, 140.0, 130.0]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["darts_exact", "random, mean ± std", "random, best of 3"]
    assert axes.get_xlabel() == "search cost (device-hours)"
    levels = [line.get_ydata()[0] for line in axes.lines if line not in lines]
    assert levels == [pytest.approx(141.33, abs=0.01), 140.0]


def test_no_plot_of_what_is_not_there(runs):
    entries = read_entries([str(runs.study("study", SCORES, snapshots=False))])
    assert cost_plot(entries, [], "random") is None
    curves = overlaid_curves(entries)
    assert len(curves.axes[0].lines) == 5
    assert len(curves.axes[0].get_legend().get_texts()) == 2


def sessions(directory):
    """By folder: hyperparameters, scalars and status of each session."""
    found = {}
    for file in directory.rglob("events.out.tfevents.*"):
        events = EventAccumulator(str(file.parent), size_guidance={"tensors": 0})
        events.Reload()
        if file.parent == directory:  # the table's columns
            continue
        content = events.SummaryMetadata
        hparams = metadata.parse_session_start_info_plugin_data(
            content(metadata.SESSION_START_INFO_TAG).plugin_data.content
        ).hparams
        status = metadata.parse_session_end_info_plugin_data(
            content(metadata.SESSION_END_INFO_TAG).plugin_data.content
        ).status
        shown = {name: value.string_value or value.number_value for name, value in hparams.items()}
        scalars = {
            tag: tf.make_ndarray(events.Tensors(tag)[0].tensor_proto).item()
            for tag in events.Tags()["tensors"]
            if not tag.startswith("_hparams_")
        }
        found[file.parent.relative_to(directory).as_posix()] = (shown, scalars, status)
    return found


def test_hparams_columns_stand_in_order(runs, tmp_path):
    report(tmp_path / "report", *(runs.train(name, units=n) for name, n in (("a", 8), ("b", 16))))
    events = EventAccumulator(str(tmp_path / "report" / "tensorboard"))
    events.Reload()
    content = events.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    experiment = metadata.parse_experiment_plugin_data(content)
    names = [column.name for column in experiment.hparam_infos]
    assert names == ["source", "seed", "dataset", "score of", "units"]
    units = experiment.hparam_infos[-1].domain_interval
    assert (units.min_value, units.max_value) == (8.0, 16.0)
    assert [metric.name.tag for metric in experiment.metric_infos] == [
        "validation/perplexity",
        "test/perplexity",
    ]


def test_hparams_have_a_session_for_each_entry(runs, tmp_path):
    paths = [
        runs.train("a", test=138.0, units=16),
        runs.study("study", {"random": [140.0]}, failed=["random"]),
        runs.train("c", dataset="wikitext2", units=4, dropout=0.5),  # compares with none of them
    ]
    report(tmp_path / "report", *paths)
    found = sessions(tmp_path / "report" / "tensorboard")
    assert set(found) == {"a", "c", "study/random_seed0", "study/random_seed99"}
    assert set(found["c"][0]) == {"source", "seed", "dataset", "score of"}
    shown, scalars, status = found["a"]
    assert shown == {
        "source": "darts_v2",
        "seed": 0.0,
        "dataset": "ptb",
        "score of": "Cells trained from scratch",
        "units": 16.0,  # the one setting that differs
    }
    assert scalars == {"validation/perplexity": 140.0, "test/perplexity": 138.0}
    assert status == api_pb2.STATUS_SUCCESS
    shown, scalars, status = found["study/random_seed99"]
    assert (scalars, status) == ({}, api_pb2.STATUS_FAILURE)


@pytest.mark.parametrize("spelling", [".", "plots/.."])
def test_a_run_is_called_by_its_folder_however_it_is_given(runs, tmp_path, monkeypatch, spelling):
    other = runs.train("other")
    monkeypatch.chdir(runs.search("own"))
    text = report(tmp_path / "report", spelling, other)
    assert "own, validation perplexity" in text
    assert set(sessions(tmp_path / "report" / "tensorboard")) == {"own", "other"}
    report(tmp_path / "alone", spelling)
    assert "<title>search own</title>" in (tmp_path / "alone" / "report.html").read_text()


def test_sessions_stay_in_their_folder_and_apart(runs, tmp_path):
    (entry,) = read_entries([str(runs.train("a"))])
    names = ["..", "study/../../up", "/root", "a b", "a_b", "A_b", ""]
    entries = [dataclasses.replace(entry, name=name) for name in names]
    write_sessions(tmp_path / "deep" / "tensorboard", entries)
    found = {file.parent for file in tmp_path.rglob("events.out.tfevents.*")}
    folders = {f.relative_to(tmp_path / "deep" / "tensorboard").as_posix() for f in found}
    own = {"__", "study/__/__/up", "_/root", "a_b", "a_b_2", "A_b_3", "_"}
    assert folders == {".", *own}


def test_a_setting_that_is_a_list_is_a_column(runs, tmp_path):
    paths = [runs.train(name, added_operations=[name], seed=n) for n, name in enumerate("ab")]
    report(tmp_path / "report", *paths)
    found = sessions(tmp_path / "report" / "tensorboard")
    assert found["a"][0]["added_operations"] == '["a"]'


def test_a_table_needs_cells_that_tables_have(runs, tmp_path):
    search = str(runs.search("search"))
    with pytest.raises(UserError, match="no run here has cells of which there are tables") as error:
        write_report([search], str(tmp_path / "report"), "random", str(tmp_path / "table.csv"))
    assert "\n" not in str(error.value) and not (tmp_path / "report").exists()
