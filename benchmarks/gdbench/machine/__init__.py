"""The machine and the code on it: environment, fingerprint, limits, work of a case, distance from the limit."""
