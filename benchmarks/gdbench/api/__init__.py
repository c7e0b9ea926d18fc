"""From Python and in notebooks: what stands behind ``gdbench.run(...)``, ``gdbench.compare(...)``, ``gdbench.read``.

These modules lie above all packages, and draw with their reports; the packages ask for them when they are called.
"""
