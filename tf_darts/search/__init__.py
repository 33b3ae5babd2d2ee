"""HOW an architecture is searched. Knows no space and no data set."""
