"""Tables of trained cells: a search's cell is looked up there, and judged by all the others.

from tf_darts.benchmarks import NasBench201

table = NasBench201("nasbench201.csv")
table.query("best_cifar100"), table.judge("collapsed")
"""

from tf_darts.benchmarks.cell_table import CellTable
from tf_darts.benchmarks.nasbench201 import NasBench201

__all__ = ["CellTable", "NasBench201"]
