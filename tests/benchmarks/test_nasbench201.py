"""Lookups in NAS-Bench-201: on tables that are made up, and the facts of the real one."""

import subprocess
import sys

import numpy as np
import pytest

from tests.support import toy_table
from tf_darts.benchmarks import CellTable, NasBench201
from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.published import PUBLISHED
from tf_darts.errors import UserError
from tf_darts.spaces.nasbench201 import strings

CELLS = PUBLISHED["nasbench201"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return NasBench201(toy_table.write(tmp_path_factory.mktemp("toy") / "toy.csv"))


@pytest.fixture(scope="module")
def real(shared):
    file = shared / "data" / "nasbench201" / "nasbench201.csv"
    if not file.exists():
        pytest.skip(f"no table of NAS-Bench-201: {file.name} is missing")
    return NasBench201(file)


def test_a_lookup_needs_no_tensorflow(tmp_path):
    file = toy_table.write(tmp_path / "toy.csv")
    program = (
        "import sys; from tf_darts.benchmarks import NasBench201\n"
        f"table = NasBench201('{file}'); table.judge('collapsed'), table.null('cifar10').p(93.3)\n"
        "table.extension('cifar10').value([[0.2] * 5] * 6)\n"
        "print('tensorflow' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"


@pytest.mark.parametrize("name", ["all_3x3", "resnet", "collapsed", "all_none"])
def test_a_cell_is_looked_up_however_it_is_given(table, name):
    architecture = tuple(edge for node in CELLS[name].cells["cell"].nodes for edge, _ in node)
    wanted = toy_table.scores(architecture)
    text = strings.written(architecture)
    for cell in (name, CELLS[name], text, text.strip("|")):
        assert table.query(cell) == wanted
    assert len(table) == 15625 and table.complete
    assert table.full_columns == ("cifar10", "cifar100")
    assert table.short_column("cifar10") == "cifar10_valid_12_epochs"
    assert table.short_column("cifar100") is None


def test_percentiles_among_cells(table):
    own = table.query("resnet")["cifar10"]
    everyone = [toy_table.scores(a)["cifar10"] for a in strings.all_architectures()]
    alike = [
        toy_table.scores(a)["cifar10"]
        for a in strings.all_architectures()
        if strings.convolutions(a) == (2, 0)
    ]
    full = [toy_table.scores(a)["cifar10"] for a in strings.all_architectures() if "none" not in a]
    for among, values in (("all", everyone), ("alike", alike), ("without_none", full)):
        wanted = 100 * np.mean(np.array(values) < own)
        assert table.percentile("resnet", "cifar10", among) == pytest.approx(wanted)
    assert (len(alike), len(full)) == (15 * 3**4, 4**6)
    judged = {judgement.score: judgement for judgement in table.judge("resnet")}
    assert set(judged) == set(toy_table.COLUMNS)
    assert judged["cifar10"].value == own and judged["cifar10"].alike == 15 * 3**4
    assert judged["cifar10"].p == np.mean(np.array(everyone) >= own)
    with pytest.raises(ValueError, match=r"among=.others. is no kind"):
        table.percentile("resnet", "cifar10", "others")


def test_neighbours_differ_in_one_edge(table):
    neighbours = [strings.parse(text) for text in table.neighbours("resnet")]
    own = strings.from_short("3/-3/s-s")
    assert len({*neighbours}) == 24
    assert all(sum(a != b for a, b in zip(own, n, strict=True)) == 1 for n in neighbours)


def test_references(table):
    found = table.references((1, 10))
    assert list(found) == ["random", "best of 10 random", "all_3x3", "best_cifar100", "optimum"]
    assert found["all_3x3"] == table.query("all_3x3")
    assert found["random"]["cifar10"] == pytest.approx(table.column("cifar10").mean())
    assert found["optimum"]["cifar10"] == table.column("cifar10").max()
    assert table.collapse() == table.query("collapsed")
    assert table.quantiles("cifar10", [1.0]) == found["optimum"]["cifar10"]


def test_a_table_of_a_few_cells(tmp_path):
    few = [strings.from_short(text) for text in ("3/33/333", "s/ss/sss")]
    table = NasBench201(toy_table.write(tmp_path / "few.csv", few))
    assert not table.complete and table.has("all_3x3") and not table.has("resnet")
    assert table.neighbours("all_3x3") == []
    assert list(table.references((10,))) == ["best of 10 random", "all_3x3", "optimum"]
    for ask, sentence in [
        (lambda: table.query("resnet"), "has no cell |nor_conv_3x3~0|+|none~0|"),
        (lambda: table.extension("cifar10"), "has 2 of the 15,625 cells, and the multilinear"),
        (lambda: table.column("svhn"), "has no column svhn; use one of cifar10, cifar100"),
        (lambda: table.query("best"), "a cell of NAS-Bench-201 is written like |nor_conv"),
        (lambda: table.query(PUBLISHED["convolutional"]["darts_v2"]), "is a table of nasbench201"),
    ]:
        with pytest.raises(UserError) as error:
            ask()
        assert sentence in str(error.value) and "\n" not in str(error.value)


def test_rows_that_are_no_cells_or_the_same_cell(tmp_path):
    file = tmp_path / "wrong.csv"
    text = strings.EXAMPLE
    for rows, sentence in [
        ("|gelu~0|+|none~0|none~1|+|none~0|none~1|none~2|,1", "line 2: unknown operation 'gelu'"),
        ("best,1", "line 2: a cell of NAS-Bench-201 is written like"),
        (f"{text},1\n{text.strip('|')},2", "is on line 2 already; take one of them out"),
    ]:
        file.write_text(f"architecture,cifar10\n{rows}\n", encoding="utf-8")
        with pytest.raises(UserError) as error:
            NasBench201(file)
        assert sentence in str(error.value) and "\n" not in str(error.value)


def test_other_spaces_have_no_tables(tmp_path):
    with pytest.raises(UserError, match="cells of the space convolutional, of which there are no"):
        CellTable(tmp_path / "any.csv", "convolutional")


def test_the_space_s_strings():
    for architecture in [*strings.all_architectures()][::997]:
        text = strings.written(architecture)
        assert strings.of_fields(strings.fields(text)) == text == strings.normal(text)
        assert strings.convolution_counts(text) == strings.convolutions(architecture)
    mixed = {"nasbench201": [("none", 0), ("none", 1), ("skip_connect", 0), *[("none", 0)] * 3]}
    assert strings.of_fields(mixed).startswith("|none~0|+|skip_connect~0|none~1|+")


@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_cells_of_more_or_fewer_nodes_are_in_no_table(nodes, tmp_path):
    table = NasBench201(toy_table.write(tmp_path / "table.csv", [("none",) * 6]))
    edges = [("none", source) for node in range(1, nodes + 1) for source in range(node)]
    with pytest.raises(UserError, match=rf"has 6 edges, and not {len(edges)}\.$"):
        table.has(genotype_class("nasbench201")(edges))


# METHODS' numbers of the real table: published ones, and what was computed of it elsewhere.
NAMED = {
    "all_none": (10.0, 1.0, 0.83),
    "collapsed": (54.30, 15.61, 16.32),
    "all_avg_pool": (49.02, 10.2, 9.35),
    "all_1x1": (89.37, 65.71, 35.48),
    "all_3x3": (93.76, 71.11, 41.44),
    "resnet": (93.91, 70.89, 44.23),
    "best_cifar100": (94.36, 73.51, 46.34),
}
QUANTILES = {
    "cifar10": (92.18, 92.93, 93.28, 93.77, 94.18),
    "cifar100": (67.88, 69.48, 70.11, 71.13, 72.72),
    "imagenet16_120": (40.18, 42.91, 44.07, 45.39, 46.52),
}
BEST_OF = {  # of 5, 10, 20, 50, 100; by simulation, so that the last digits are not exact
    "cifar10": (92.65, 93.08, 93.41, 93.68, 93.83),
    "cifar100": (68.97, 69.82, 70.42, 71.10, 71.54),
    "imagenet16_120": (41.81, 43.44, 44.40, 45.18, 45.63),
}


def test_the_facts_of_the_real_table(real):
    assert len(real) == 15625 and real.full_columns == tuple(QUANTILES)
    for name, wanted in NAMED.items():
        found = real.query(name)
        assert [found[score] for score in QUANTILES] == pytest.approx(wanted, abs=0.006), name
    for score, wanted in QUANTILES.items():
        found = real.quantiles(score, [0.75, 0.9, 0.95, 0.99, 0.999])
        np.testing.assert_allclose(found, wanted, atol=0.0062)
        bests = [real.null(score).best_of(n)[0] for n in (5, 10, 20, 50, 100)]
        np.testing.assert_allclose(bests, BEST_OF[score], atol=0.17 if "image" in score else 0.04)
    collapsed = [real.percentile("collapsed", score) for score in QUANTILES]
    assert collapsed == pytest.approx([2.5, 2.6, 8.4], abs=0.06)
    assert real.column("cifar10").max() == pytest.approx(94.37, abs=0.006)
    assert real.query("best_imagenet16")["imagenet16_120"] == real.column("imagenet16_120").max()
    assert np.sum(real.column("cifar10") == 10.0) == 341
    # C10 above 93.28 has p below .05.
    assert real.null("cifar10").p(93.28) < 0.05 < real.null("cifar10").p(93.27)


def test_all_3x3_by_marginals_and_cell_9930_by_ascent(real):
    uniform = np.full((6, 5), 0.2)
    for score in QUANTILES:
        extension = real.extension(score)
        marginals = extension.gradient(uniform)
        assert [*marginals.argmax(1)] == [strings.OPERATIONS.index("nor_conv_3x3")] * 6
        # Ascent of f(softmax(α)), from α = 0.
        alpha = np.zeros((6, 5))
        for _ in range(600):
            mixing = np.exp(alpha) / np.exp(alpha).sum(1, keepdims=True)
            gradient = extension.gradient(mixing)
            alpha += 0.2 * mixing * (gradient - (mixing * gradient).sum(1, keepdims=True))
        found = strings.written([strings.OPERATIONS[i] for i in alpha.argmax(1)])
        if score == "imagenet16_120":  # a local optimum; which one, the size of the steps decides
            assert 46.3 < real.query(found)[score] < 47
        else:
            assert found == real.text_of("best_cifar100")
