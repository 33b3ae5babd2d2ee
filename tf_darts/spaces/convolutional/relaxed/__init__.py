"""The supernet: every edge mixes all candidates (eq. 2)."""
