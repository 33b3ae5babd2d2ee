"""Other people's formats: SavedModel, LiteRT, ONNX, the official weights."""
