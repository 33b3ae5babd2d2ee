"""Data sets: TFDS builders, text pipelines, the embedded sets. Knows no space."""
