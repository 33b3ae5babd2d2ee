"""Fast forms of the layers in `spaces/`: other ways to compute what a layer's `call` says.

Importing this package registers all of them (`spaces/fast_forms.py`); docs/performance.md lists
them, with conditions and gains.
"""

from tf_darts.accelerate import sampled_operation  # noqa: F401
from tf_darts.accelerate.convolutional import (  # noqa: F401
    batch_norm,
    depthwise,
    derived_stack,
    every_second_pixel,
    relaxed_cell,
)
from tf_darts.accelerate.nasbench201 import relaxed_bench_cell  # noqa: F401
from tf_darts.accelerate.recurrent import (  # noqa: F401
    derived_recurrence,
    relaxed_recurrence,
    tied_softmax,
)
