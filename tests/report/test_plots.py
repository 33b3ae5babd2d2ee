import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tf_darts.errors import UserError
from tf_darts.report.plots import alpha_heatmap, figure_to_png, learning_curves, save_figure


def _mixing(edges, operations):
    logits = np.random.default_rng(0).normal(size=(edges, operations))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("edges", "operations"), [(36, 5), (14, 8)])
def test_heatmap_writes_every_weight_in_its_place(edges, operations):
    mixing = _mixing(edges, operations)
    names = [f"operation_{i}" for i in range(operations)]
    figure = alpha_heatmap(mixing, names, [f"0→{i}" for i in range(edges)], "α")
    axes = figure.axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {
        (column, row): f"{mixing[row, column]:.2f}"
        for row in range(edges)
        for column in range(operations)
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == names
    assert axes.get_yticklabels()[3].get_text() == "0→3"
    np.testing.assert_allclose(axes.images[0].get_array(), mixing)
    assert figure.get_suptitle() == "α"
    assert figure_to_png(figure).startswith(b"\x89PNG")


def test_heatmap_frames_the_strongest_of_each_edge():
    """Weights that are nearly alike have a digit more; an edge of equal ones has no frame."""
    mixing = np.array([[0.241, 0.262, 0.249, np.nan], [0.25, 0.25, 0.25, 0.25]])
    axes = alpha_heatmap(mixing, "abcd", ["0→1", "0→2"]).axes[0]
    assert {text.get_text() for text in axes.texts} == {"0.241", "0.262", "0.249", "0.250"}
    assert [(round(p.get_x() + 0.47), round(p.get_y() + 0.45)) for p in axes.patches] == [(1, 0)]


def test_heatmap_values_stand_out_from_their_colours():
    figure = alpha_heatmap(np.array([[0.02, 0.3, 0.68]]), "abc", ["0→1"])
    image, texts = figure.axes[0].images[0], figure.axes[0].texts
    for text in texts:
        column, row = text.get_position()
        red, green, blue, _ = image.cmap(image.norm(image.get_array()[row, column]))
        background = 0.3 * red + 0.59 * green + 0.11 * blue
        ink = 1.0 if text.get_color() == "white" else 0.13
        assert abs(background - ink) > 0.4


@pytest.mark.parametrize("columns", [1, 2, 8])
def test_a_heatmap_is_as_wide_as_its_title(columns):
    title = "mixing weights of normal, epoch 1000"
    figure = alpha_heatmap(_mixing(14, columns), ["sep_conv_3x3"] * columns, ["0→1"] * 14, title)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    extent = figure._suptitle.get_window_extent(canvas.get_renderer())
    assert 0 < extent.x0 < extent.x1 < figure.bbox.width


def test_heatmap_refuses_names_that_do_not_fit():
    with pytest.raises(ValueError, match="3 edges and 5 operations"):
        alpha_heatmap(_mixing(2, 5), ["a"] * 5, ["0→1"] * 3)


HISTORY = [
    {"epoch": 1, "train": 300.0, "valid": 280.0, "entropy": 1.6},
    {"epoch": 2, "train": 120.0, "valid": None, "entropy": 1.5},
    {"epoch": 3, "train": 80.0, "valid": 90.0, "entropy": 1.1},
]
SCORES = {"training": "train", "validation": "valid"}


def test_curves_show_the_records():
    figure = learning_curves(
        HISTORY,
        SCORES,
        score_name="perplexity",
        entropies={"recurrent": "entropy"},
        baseline=("random search", 61.8),
        logarithmic=True,
    )
    scores, entropy = figure.axes
    training, validation, baseline = scores.get_lines()
    np.testing.assert_array_equal(training.get_xydata(), [[1, 300], [2, 120], [3, 80]])
    np.testing.assert_array_equal(validation.get_ydata(), [280, np.nan, 90])
    assert list(baseline.get_ydata()) == [61.8, 61.8]
    legend = [text.get_text() for text in scores.get_legend().get_texts()]
    assert legend == ["training", "validation", "random search"]
    assert (scores.get_ylabel(), scores.get_yscale()) == ("perplexity", "log")
    (curve,) = entropy.get_lines()
    assert list(curve.get_ydata()) == [1.6, 1.5, 1.1]
    assert entropy.get_xlabel() == "epoch"


@pytest.mark.parametrize(("low", "high"), [(58, 62), (60, 500), (55, 10_000)])
def test_logarithmic_scores_have_plain_numbers_beside_them(low, high):
    history = [{"epoch": 1, "train": high}, {"epoch": 2, "train": low}]
    figure = learning_curves(history, {"t": "train"}, score_name="ppl", logarithmic=True)
    labels = [float(label.get_text()) for label in figure.axes[0].get_yticklabels()]
    assert 3 <= sum(low <= label <= high for label in labels) <= 15


@pytest.mark.parametrize("history", [[], HISTORY[:1], [{"epoch": 1}]])
def test_curves_of_almost_nothing_can_be_drawn(history):
    figure = learning_curves(history, SCORES, score_name="accuracy")
    assert len(figure.axes) == 1
    assert figure_to_png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")],
)
def test_saving_by_suffix_gives_the_same_file_twice(tmp_path, suffix, start):
    for name in ("a", "b"):
        figure = learning_curves(HISTORY, SCORES, score_name="perplexity")
        save_figure(figure, tmp_path / f"{name}{suffix}")
    content = (tmp_path / f"a{suffix}").read_bytes()
    assert content.startswith(start)
    assert content == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["cell.gif", "cell"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"\.png, \.svg, \.pdf"):
        save_figure(Figure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        save_figure(Figure(), tmp_path / "nowhere" / "cell.png")


def test_one_epoch_and_counts_have_whole_numbers_beside_them():
    history = [{"epoch": 1, "loss": 1.0, "skips/normal": 5, "skips/reduce": 5}]
    monitors = ["skips/normal", "skips/reduce"]
    figure = learning_curves(history, {"l": "loss"}, score_name="loss", monitors=monitors)
    skips = figure.axes[1]
    for ticks, value in ((skips.get_xticks(), 1), (skips.get_yticks(), 5)):
        assert value in ticks and all(tick == round(tick) for tick in ticks)


def test_what_is_measured_now_and_then_is_one_line():
    history = [{"epoch": e, "loss": 1.0, "skips/a": e, "skips/b": 0} for e in range(1, 6)]
    for record in history[::2]:
        record["eigenvalue/largest"] = 0.1 * record["epoch"]
    monitors = ["skips/a", "skips/b", "eigenvalue/largest"]
    figure = learning_curves(history, {"l": "loss"}, score_name="loss", monitors=monitors)
    _, skips, eigenvalue = figure.axes
    assert len({line.get_color() for line in skips.lines}) == 2
    (line,) = eigenvalue.lines
    assert list(line.get_xdata()) == [1, 3, 5] and "largest eigenvalue" in eigenvalue.get_ylabel()


def test_levels_are_lines_of_their_curve_s_colour():
    history = [{"epoch": e, "loss": 1.0, "table/a": 90.0 + e, "table/b": 70.0} for e in (1, 2)]
    figure = learning_curves(
        history,
        {"l": "loss"},
        score_name="loss",
        monitors=["table/a", "table/b"],
        levels={"table/b": ("collapsed", 15.6)},
    )
    a, b, level = figure.axes[1].lines
    assert level.get_color() == b.get_color() != a.get_color()
    assert [*level.get_ydata()] == [15.6, 15.6] and level.get_label() == "b, collapsed"


def test_an_entropy_that_hardly_moves_does_not_look_as_if_it_fell():
    records = [{"epoch": e, "train": 2.0, "entropy": 2.07944 - 1e-7 * e} for e in (1, 2, 3)]
    figure = learning_curves(
        records, {"training": "train"}, score_name="loss", entropies={"cell": "entropy"}
    )
    least, most = figure.axes[1].get_ylim()
    assert most - least > 0.02 and least < 2.0794 < most
