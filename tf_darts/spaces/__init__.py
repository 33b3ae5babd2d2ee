"""WHAT is searched: one room for each space, all with the same doors."""
