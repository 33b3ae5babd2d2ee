"""Fast forms of the space of NAS-Bench-201."""
