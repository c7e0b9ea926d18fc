"""The process that describes the machine as a worker finds it."""

from __future__ import annotations

import sys

from gdbench.machine.environment import Environment, describe
from gdbench.processes.answers import serve


class Worker:
    """Answers for the process that it lives in."""

    def describe(self) -> Environment:
        """Return the description of ``environment.describe``."""
        return describe()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Worker())
