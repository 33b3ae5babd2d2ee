"""A small cell in which every edge is noise or a separable convolution (docs/controls.md)."""
