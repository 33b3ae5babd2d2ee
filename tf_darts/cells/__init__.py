"""Discrete cells and the graphs that they are taken from."""
