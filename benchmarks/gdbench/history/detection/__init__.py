"""Where the level of a series steps, and by how much: statistics of numbers alone."""
