"""Training a derived network from random weights, and testing it."""
