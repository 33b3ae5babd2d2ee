"""Cells drawn as text."""

import pytest

from tf_darts.cells.genotype import genotype_class
from tf_darts.cells.published import published_cells
from tf_darts.cells.space import spaces
from tf_darts.report.drawing.cell_text import cell_text

_DARTS_V2 = """\
Normal cell
  node 0 ◀─ sep_conv_3x3 ─ c_k-2   ◀─ sep_conv_3x3 ─ c_k-1
  node 1 ◀─ sep_conv_3x3 ─ c_k-2   ◀─ sep_conv_3x3 ─ c_k-1
  node 2 ◀─ sep_conv_3x3 ─ c_k-1   ◀─ skip_connect ─ c_k-2
  node 3 ◀─ skip_connect ─ c_k-2   ◀─ dil_conv_3x3 ─ node 0
  c_k    ◀─ node 0, node 1, node 2, node 3
"""


def test_a_published_cell():
    assert cell_text(published_cells("convolutional")["darts_v2"]).startswith(_DARTS_V2)
    lines = cell_text(published_cells("recurrent")["darts_v2"]).splitlines()
    assert lines[0] == "  node 0 ◀─ x_t, h_t-1"
    assert lines[1] == "  node 1 ◀─ sigmoid ── node 0"


@pytest.mark.parametrize("space", sorted(spaces()))
@pytest.mark.parametrize("width", [40, 80])
def test_every_edge_is_there_and_lines_fit(space, width):
    for cell in published_cells(space).values():
        text = cell_text(cell, width)
        edges = [op for own in cell.cells.values() for node in own.nodes for op, _ in node]
        for operation in {op for op in edges if op != "none"}:
            wanted = edges.count(operation)
            assert text.count(f" {operation} ") == wanted, operation
        long = [line for line in text.splitlines() if len(line) > width]
        assert all(line.count("◀─") == 1 for line in long), "one edge may be longer than a line"


def test_a_node_of_nothing():
    cell = published_cells("nasbench201")["all_none"]
    assert cell_text(cell).splitlines()[1:4] == [f"  node {i} ◀─ nothing" for i in range(3)]
    assert type(cell) is genotype_class("nasbench201")


def test_a_terminal_without_arrows():
    text = cell_text(published_cells("convolutional")["darts_v2"], encoding="ascii")
    assert text.isascii() and "node 0 <- sep_conv_3x3 - c_k-2" in text
