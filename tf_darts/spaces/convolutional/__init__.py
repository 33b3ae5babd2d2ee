"""The space of convolutional cells: docs/method.md section 4."""
