"""``python -m gdbench`` is the command ``gdbench``."""

from gdbench.cli import main

main()
