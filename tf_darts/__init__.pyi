"""What `import tf_darts` gives, for type checkers: the names of `_PUBLIC`, from where they are."""

from tf_darts.api import Selection as Selection
from tf_darts.api import export as export
from tf_darts.api import load_genotype as load_genotype
from tf_darts.api import save_genotype as save_genotype
from tf_darts.api import search as search
from tf_darts.api import select as select
from tf_darts.api import test as test
from tf_darts.api import train as train
from tf_darts.cells.costs import Costs as Costs
from tf_darts.cells.genotype import ConvolutionalGenotype as ConvolutionalGenotype
from tf_darts.cells.genotype import Genotype as Genotype
from tf_darts.cells.genotype import RecurrentGenotype as RecurrentGenotype
from tf_darts.cells.genotype import genotype_class as genotype_class
from tf_darts.cells.published import PUBLISHED as PUBLISHED
from tf_darts.cells.space import IMAGES as IMAGES
from tf_darts.cells.space import TEXTS as TEXTS
from tf_darts.cells.space import Space as Space
from tf_darts.cells.space import register_space as register_space
from tf_darts.cells.table_form import TableForm as TableForm
from tf_darts.cells.topology import CellLabels as CellLabels
from tf_darts.cells.topology import CellTopology as CellTopology
from tf_darts.config.data_searches import ImageSearchConfig as ImageSearchConfig
from tf_darts.config.data_searches import TextSearchConfig as TextSearchConfig
from tf_darts.config.datasets import register_images as register_images
from tf_darts.config.datasets import register_texts as register_texts
from tf_darts.config.setting import setting as setting
from tf_darts.config.training import ImageTrainingConfig as ImageTrainingConfig
from tf_darts.config.training import TextTrainingConfig as TextTrainingConfig
from tf_darts.errors import UserError as UserError
from tf_darts.runs.export import Exported as Exported
from tf_darts.runs.search import SearchRun as SearchRun
from tf_darts.runs.training import TrainingRun as TrainingRun
from tf_darts.runtime.callback import Callback as Callback
from tf_darts.runtime.signals import Stopped as Stopped
from tf_darts.spaces.convolutional.derived.cell import DerivedCell as DerivedCell
from tf_darts.spaces.convolutional.derived.counts import multiply_adds as multiply_adds
from tf_darts.spaces.convolutional.derived.counts import weight_count as weight_count
from tf_darts.spaces.convolutional.derived.objective import CifarNetwork as CifarNetwork
from tf_darts.spaces.convolutional.derived.objective import ImageNetNetwork as ImageNetNetwork
from tf_darts.spaces.convolutional.operations.base import Operation as Operation
from tf_darts.spaces.convolutional.operations.batch_norm import BatchNorm as BatchNorm
from tf_darts.spaces.convolutional.operations.registry import add_operation as add_operation
from tf_darts.spaces.convolutional.operations.registry import make_operation as make_operation
from tf_darts.spaces.convolutional.relaxed.cell import MixedOperation as MixedOperation
from tf_darts.spaces.convolutional.relaxed.cell import RelaxedCell as RelaxedCell
from tf_darts.spaces.convolutional.relaxed.supernet import (
    ConvolutionalSupernet as ConvolutionalSupernet,
)
from tf_darts.spaces.image_doors import ImageObjective as ImageObjective
from tf_darts.spaces.image_doors import ImageSupernet as ImageSupernet
from tf_darts.spaces.objective import TrainingObjective as TrainingObjective
from tf_darts.spaces.recurrent.activations import add_activation as add_activation
from tf_darts.spaces.recurrent.derived.cell import DerivedRecurrentCell as DerivedRecurrentCell
from tf_darts.spaces.recurrent.derived.objective import LanguageModel as LanguageModel
from tf_darts.spaces.recurrent.relaxed.cell import RelaxedRecurrentCell as RelaxedRecurrentCell
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet as RecurrentSupernet
from tf_darts.spaces.supernet import Supernet as Supernet

__version__: str
