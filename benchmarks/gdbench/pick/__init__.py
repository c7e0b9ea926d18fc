"""Which batch size to train with: steps to a target loss times seconds per step, measured apart and joined."""
