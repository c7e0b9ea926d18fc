"""Peers: other libraries behind the contract of the variants, one file each, for comparison only."""
