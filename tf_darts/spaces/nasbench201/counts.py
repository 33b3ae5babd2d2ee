"""How large a network of NAS-Bench-201 is, by its authors' count.

With C channels, N cells a stage, K classes, D channels of an image, n₃ and n₁ edges of 3×3 and 1×1
convolutions (those that reach nothing too), c ∈ {C, 2C, 4C} and p(c) pixels at c:

    parameters    = 9 D C + 2 C + Σ_{c=2C,4C} (14 c² + 4 c) + 8 C + 4 C K + K
                    + N Σ_c [ n₃ (9 c² + 2 c) + n₁ (c² + 2 c) ]
    multiply-adds = 9 D C p(C) + Σ_{c=2C,4C} 14 c² p(c) + 4 C K + K + N Σ_c (9 n₃ + n₁) c² p(c)

Multiply-adds are of convolutions and the linear layer, whose bias the authors' counter adds; batch
norms, ReLUs and poolings are not counted. A residual block has 4.5 c² + 9 c² + 0.5 c² = 14 c²
weights in its convolutions and 4 c in its batch norms.
"""

from tf_darts.cells.genotype import Genotype
from tf_darts.spaces.convolutional.layout import halved

STAGES = 3  # of the network; each has twice the channels of the one before


def convolutions(cell: Genotype) -> tuple[int, int]:
    """How many edges of a cell are 3×3 and 1×1 convolutions."""
    names = [name for node in cell.cells["cell"].nodes for name, _ in node]
    return names.count("nor_conv_3x3"), names.count("nor_conv_1x1")


def stage_sizes(channels: int, image_shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """Channels, height and width of each stage's cells."""
    height, width, _ = image_shape
    sizes = []
    for stage in range(STAGES):
        if stage:
            height, width = halved(height), halved(width)
        sizes.append((channels * 2**stage, height, width))
    return sizes


def weight_count(
    edges: tuple[int, int],
    classes: int,
    *,
    channels: int = 16,
    cells_per_stage: int = 5,
    image_channels: int = 3,
) -> int:
    """The trainable weights of a derived network.

    Args:
      edges: n₃ and n₁.
      classes: K.
      channels: C.
      cells_per_stage: N.
      image_channels: D.

    Examples:
      >>> weight_count((0, 0), 10), weight_count((6, 0), 10)
      (73306, 1531546)
    """
    three, one = edges
    widths = [channels * 2**stage for stage in range(STAGES)]
    last = widths[-1]
    stem = 9 * image_channels * channels + 2 * channels
    blocks = sum(14 * c * c + 4 * c for c in widths[1:])
    cells = sum(three * (9 * c * c + 2 * c) + one * (c * c + 2 * c) for c in widths)
    return stem + blocks + 2 * last + (last + 1) * classes + cells_per_stage * cells


def multiply_adds(
    edges: tuple[int, int],
    classes: int,
    image_shape: tuple[int, int, int] = (32, 32, 3),
    *,
    channels: int = 16,
    cells_per_stage: int = 5,
) -> int:
    """The multiply-adds by which a derived network classifies one image.

    Args:
      edges: n₃ and n₁.
      classes: K.
      image_shape: height, width and channels D of an image.
      channels: C.
      cells_per_stage: N.

    Examples:
      >>> multiply_adds((0, 0), 10), multiply_adds((6, 0), 10)
      (7783050, 220119690)
    """
    three, one = edges
    stages = [(c, height * width) for c, height, width in stage_sizes(channels, image_shape)]
    stem = 9 * image_shape[2] * channels * stages[0][1]
    blocks = sum(14 * c * c * pixels for c, pixels in stages[1:])
    cells = sum((9 * three + one) * c * c * pixels for c, pixels in stages)
    return stem + blocks + (stages[-1][0] + 1) * classes + cells_per_stage * cells
