"""Running: files, run directories, checkpoints, seeds, progress, signals."""
