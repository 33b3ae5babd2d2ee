"""Texts: sources, vocabulary, passes."""
