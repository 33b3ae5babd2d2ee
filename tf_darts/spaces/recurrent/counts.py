"""What a derived language model costs."""

from tf_darts.genotype import RecurrentGenotype


def multiply_adds(genotype: RecurrentGenotype, words: int, units: int) -> int:
    """Multiply-adds of the matrix products of cell and decoder for one word, without dropout.

    [x, h] W0 has 4U², each node 2U², the decoder U·words; looking up an embedding has none.

    Args:
      genotype: the cell.
      words: size of the vocabulary.
      units: U.
    """
    return (4 + 2 * len(genotype.edges)) * units**2 + words * units
