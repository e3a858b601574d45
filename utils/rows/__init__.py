"""What decides each row: from extracted arrays to one value per seed and inequality. One file per
notebook."""
