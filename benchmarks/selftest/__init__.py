"""Self-test: how often verdicts are wrong on this machine and what picks cost, where the truth is known.

Scripts, not installed: ``python benchmarks/selftest/run.py --help``. The kernels and the instrument are those of the
checkout; whatever is changed to be found again is changed in clones of it, in a scratch folder.
"""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
