"""Images: sources, passes, augmentation."""
