"""How an architecture is searched: losses, hypergradient, step and the loop around it."""
