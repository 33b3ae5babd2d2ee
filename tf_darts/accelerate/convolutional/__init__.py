"""Fast forms of the convolutional space."""
