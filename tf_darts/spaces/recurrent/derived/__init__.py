"""Language models of a derived cell."""
