"""A run: planned, measured in blocks, kept in a folder, summarised case by case."""
