"""Nonlinear problems whose steps to a loss are known from exhaustive runs: an oracle that is apart from the search.

Of what the search uses it has compiled epochs alone; rows, losses, crossings and errors are its own.
"""
