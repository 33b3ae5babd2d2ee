import collections
import itertools
import random
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from tests.support.paths import ROOT
from tf_darts.cells.genotype import (
    CONVOLUTIONAL_PRIMITIVES,
    RECURRENT_PRIMITIVES,
    ConvolutionalGenotype,
    RecurrentGenotype,
)
from tf_darts.cells.published import PUBLISHED
from tf_darts.cells.space import find_space
from tf_darts.report.drawing.cell_drawing import draw_genotype, lay_out_cell
from tf_darts.report.drawing.cell_graph import cells_of, edge_labels
from tf_darts.report.drawing.cell_layout import inside, points_of
from tf_darts.report.plots import save_figure


def _random_recurrent(generator):
    operations = RECURRENT_PRIMITIVES[1:]
    edges = tuple((generator.choice(operations), generator.randint(0, i)) for i in range(8))
    return RecurrentGenotype(edges, tuple(range(1, 9)))


def _random_convolutional(generator):
    operations = CONVOLUTIONAL_PRIMITIVES[1:]

    def cell():
        return tuple(
            tuple((generator.choice(operations), p) for p in generator.sample(range(i + 2), 2))
            for i in range(4)
        )

    return ConvolutionalGenotype(cell(), (2, 3, 4, 5), cell(), (3, 5))


def _genotypes():
    for space, cells in PUBLISHED.items():
        for name, cell in cells.items():
            yield pytest.param(cell, id=f"{space}-{name}")
    for seed in range(10):
        generator = random.Random(seed)
        yield pytest.param(_random_recurrent(generator), id=f"recurrent-{seed}")
        yield pytest.param(_random_convolutional(generator), id=f"convolutional-{seed}")


GENOTYPES = list(_genotypes())
published = pytest.mark.parametrize("genotype", GENOTYPES[:7])
everything = pytest.mark.parametrize("genotype", GENOTYPES)


def _edges(genotype):
    """Per cell: edges as (operation, predecessor, node) and concat, numbered as the genotype."""
    if isinstance(genotype, RecurrentGenotype):
        edges = [(o, p, i + 1) for i, (o, p) in enumerate(genotype.edges)]
        return [(edges, genotype.concat)]
    inputs = find_space(genotype.space).topologies
    return [
        (
            [
                (operation, source, i + inputs[kind].inputs)
                for i, node in enumerate(nodes)
                for operation, source in node
                if operation != "none"  # no arrow
            ],
            concat,
        )
        for kind, (nodes, concat) in genotype.cells.items()
    ]


@everything
def test_arrows_are_the_edges_and_the_output(genotype):
    shift = 2 if isinstance(genotype, RecurrentGenotype) else 0  # x_t and h_{t-1} come first
    for cell, (edges, concat) in zip(cells_of(genotype), _edges(genotype), strict=True):
        labelled = [(a.label, a.source - shift, a.target - shift) for a in cell.arrows if a.label]
        assert collections.Counter(labelled) == collections.Counter(edges)
        output = len(cell.nodes) - 1
        to_output = [a.source - shift for a in cell.arrows if a.target == output]
        assert sorted(to_output) == sorted(concat)
        others = [a for a in cell.arrows if not a.label and a.target != output]
        assert [(a.source, a.target) for a in others] == ([(0, 2), (1, 2)] if shift else [])


@everything
def test_nothing_overlaps(genotype):
    for cell in cells_of(genotype):
        layout = lay_out_cell(cell)
        labels = [route.label_box for route in layout.routes if route.label_box]
        for a, b in itertools.combinations([*layout.boxes, *labels], 2):
            assert not a.overlaps(b, margin=3)
        for box in [*layout.boxes, *labels]:
            assert box.width / 2 - 0.01 <= box.x <= layout.width - box.width / 2 + 0.01
            assert box.height / 2 - 0.01 <= box.y <= layout.height - box.height / 2 + 0.01


@everything
def test_arrows_join_their_nodes_and_avoid_the_rest(genotype):
    for cell in cells_of(genotype):
        layout = lay_out_cell(cell)
        for route, arrow in zip(layout.routes, cell.arrows, strict=True):
            assert route.arrow == arrow
            source, target = layout.boxes[arrow.source], layout.boxes[arrow.target]
            (x, y), (x_end, y_end) = route.curve[0], route.curve[-1]
            assert x == pytest.approx(source.x + source.width / 2)
            assert abs(y - source.y) < source.height / 2
            assert x_end == pytest.approx(target.x - target.width / 2)
            assert abs(y_end - target.y) < target.height / 2
            points = points_of(route.curve)
            foreign = [box for box in layout.boxes if box not in (source, target)]
            foreign += [r.label_box for r in layout.routes if r.label_box and r is not route]
            assert not inside(points, foreign, margin=1)
            assert not inside(points, [source, target], margin=-1)
            if route.label_box:
                assert inside(points, [route.label_box])
            assert np.all(np.diff(points[:, 0]) >= 0)  # no way back


@published
def test_what_is_drawn_does_not_overlap(genotype):
    figure = draw_genotype(genotype, "A title that is neither short nor in the way of the cell")
    figure.set_dpi(72)
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = figure.axes[0]
    texts = axes.texts
    extents = [text.get_window_extent(renderer) for text in texts]
    for a, b in itertools.combinations(extents, 2):
        assert not a.overlaps(b)
    width, height = figure.get_size_inches() * 72
    assert all(e.x0 >= 0 and e.x1 <= width and e.y0 >= 0 and e.y1 <= height for e in extents)

    boxes = [p.get_window_extent() for p in axes.patches if isinstance(p, FancyBboxPatch)]
    operations = collections.Counter(o for edges, _ in _edges(genotype) for o, _, _ in edges)
    labels = [(t, e) for t, e in zip(texts, extents, strict=True) if t.get_text() in operations]
    assert collections.Counter(text.get_text() for text, _ in labels) == operations
    assert not any(extent.overlaps(box) for _, extent in labels for box in boxes)
    arrows = sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches)
    assert arrows == sum(len(cell.arrows) for cell in cells_of(genotype))


@pytest.mark.parametrize("name", PUBLISHED["recurrent"])
def test_trees_have_no_crossings(name):
    # One edge to a node: such a cell can be drawn without, and so it is.
    (cell,) = cells_of(PUBLISHED["recurrent"][name])
    layout = lay_out_cell(cell)
    grid = np.arange(0, layout.width, 1.0)
    heights = []
    for route in layout.routes:
        x, y = points_of(route.curve).T
        heights.append(np.interp(grid, x, y, left=np.nan, right=np.nan))
    for a, b in itertools.combinations(heights, 2):
        assert not np.any(np.abs(np.diff(np.sign(a - b))) > 0)


def test_a_predecessor_used_twice_has_two_arrows():
    (normal, _) = cells_of(PUBLISHED["convolutional"]["nasnet"])
    layout = lay_out_cell(normal)
    twice = [r for r in layout.routes if (r.arrow.source, r.arrow.target) == (0, 5)]
    assert [r.arrow.label for r in twice] == ["avg_pool_3x3", "avg_pool_3x3"]
    assert twice[0].curve != twice[1].curve


def test_a_node_that_leads_nowhere_is_drawn_left_of_the_output():
    genotype = RecurrentGenotype((("tanh", 0), ("relu", 1), ("relu", 2)), (1,))
    (cell,) = cells_of(genotype)
    boxes = lay_out_cell(cell).boxes
    assert max(box.x for box in boxes[:-1]) < boxes[-1].x - 20


@pytest.mark.slow
def test_inputs_are_in_order():
    for genotype in (parameter.values[0] for parameter in GENOTYPES):
        for cell in cells_of(genotype):
            if cell.nodes[1][0] != "input":
                continue  # there is one only
            boxes = lay_out_cell(cell).boxes
            assert boxes[0].x == boxes[1].x
            assert boxes[0].y > boxes[1].y


@published
def test_files_are_pictures_and_always_the_same(genotype, tmp_path):
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        for name in ("a", "b"):
            save_figure(draw_genotype(genotype), tmp_path / f"{name}{suffix}")
        content = (tmp_path / f"a{suffix}").read_bytes()
        assert content.startswith(start)
        assert content == (tmp_path / f"b{suffix}").read_bytes()


def test_drawing_needs_no_tensorflow():
    code = (
        "import sys, tf_darts.report.drawing.cell_drawing, tf_darts.report.plots\n"
        "assert not {'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@published
def test_the_rows_of_alpha_name_the_drawing_s_nodes(genotype):
    space = find_space(genotype.space)
    for (kind, topology), cell in zip(space.topologies.items(), cells_of(genotype), strict=True):
        names = [text for _, text in cell.nodes[:-1]]
        labels = edge_labels(space.name, kind, topology)
        assert len(labels) == topology.edges
        if genotype.space == "convolutional":
            assert labels[:3] == ["$c_{k-2}$→0", "$c_{k-1}$→0", "$c_{k-2}$→1"]
        if len(genotype.cells[kind].nodes) != topology.nodes:
            continue  # a cell that the search does not find
        for arrow in cell.arrows:
            if arrow.label:
                assert f"{names[arrow.source]}→{names[arrow.target]}" in labels
