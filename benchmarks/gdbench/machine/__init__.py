"""The machine and the code on it: environment, settings, fingerprint, limits, work of a case."""
