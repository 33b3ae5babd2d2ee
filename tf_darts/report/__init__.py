"""What people look at: TensorBoard, plots, drawings of cells, tables, reports over runs."""
