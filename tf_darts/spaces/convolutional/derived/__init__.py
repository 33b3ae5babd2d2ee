"""Networks of a derived cell."""
