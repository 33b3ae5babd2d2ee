"""Comparing: many cells, each trained from scratch, ranked by validation."""
