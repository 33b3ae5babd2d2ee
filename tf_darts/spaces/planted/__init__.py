"""Six edges side by side, on data that say which operation is right on each (docs/controls.md)."""
