"""Self-test of the verdicts: how often they are wrong on this machine, on real commits and beside other tools.

Scripts, not installed: ``python benchmarks/selftest/run.py --help``. The kernels and the instrument are those of the
checkout; whatever is changed to be found again is changed in clones of it, in a scratch folder.
"""
