"""How many steps it takes to the target, by batch size: descent that is run, learning rates, and the curve."""
