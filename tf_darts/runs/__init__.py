"""Whole runs: a configuration in, a finished run directory out."""
