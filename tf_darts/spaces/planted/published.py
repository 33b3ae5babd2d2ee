"""The right answer, as `Genotype.to_dict` has it."""

from tf_darts.data.images.planted_answer import ANSWER

CELLS = {
    "planted": {"planted": [[f"taps_{distance}", i] for i, distance in enumerate(ANSWER)]},
}
