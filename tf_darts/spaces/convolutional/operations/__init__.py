"""The candidate operations, and the layers that they are made of."""
