"""The settings of each mode, and the presets of the data sets."""
