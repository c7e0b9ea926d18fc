"""How many seconds a step takes, by batch size, on this machine."""
