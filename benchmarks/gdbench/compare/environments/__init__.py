"""Environments as sides of a comparison: what is wished for, how it is installed, where it is kept."""
