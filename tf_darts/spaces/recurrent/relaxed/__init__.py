"""The supernet: every edge mixes all activations (eq. 2)."""
