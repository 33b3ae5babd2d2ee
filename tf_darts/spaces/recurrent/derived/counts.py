"""How large a derived language model is: weights and multiply-adds, by arithmetic alone."""

from tf_darts.cells.genotype import RecurrentGenotype


def weight_count(genotype: RecurrentGenotype, words: int, units: int) -> int:
    """The number of weights.

    Those of the products that `multiply_adds` counts, as each takes part in one, and a bias for
    each word; the embedding is the decoder's matrix.

    Args:
      genotype: the cell.
      words: size of the vocabulary.
      units: U.

    Examples:
      >>> from tf_darts.cells.published import PUBLISHED
      >>> weight_count(PUBLISHED["recurrent"]["darts_v2"], words=10_000, units=850)
      22960000
    """
    return multiply_adds(genotype, words, units) + words


def multiply_adds(genotype: RecurrentGenotype, words: int, units: int) -> int:
    """Multiply-adds of the matrix products of cell and decoder for one word, without dropout.

    [x, h] W0 has 4U², each node 2U², the decoder U·words; looking up an embedding has none.

    Args:
      genotype: the cell.
      words: size of the vocabulary.
      units: U.
    """
    return (4 + 2 * len(genotype.edges)) * units**2 + words * units


def counts(genotype: RecurrentGenotype, words: int, units: int) -> dict[str, int]:
    """Both by name; arguments as of `multiply_adds`."""
    return {
        "weights": weight_count(genotype, words, units),
        "multiply-adds a word": multiply_adds(genotype, words, units),
    }
