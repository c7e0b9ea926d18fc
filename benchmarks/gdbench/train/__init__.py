"""A training: its options, the descent, pictures of its loss."""
